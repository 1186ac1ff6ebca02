// <saga-runs>: training runs in a table, and curves of those that are compared; tells `choose`, `act` and `compare`.

import { DataElement } from "./element.js";

const STYLE = `
:host { display: block; color: var(--body-text-color) }
.scroll { overflow-x: auto; border: 1px solid var(--border-color-primary); border-radius: 14px;
  background: var(--block-background-fill) }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: start; padding: .5rem .7rem; white-space: nowrap; vertical-align: top }
th { color: var(--body-text-color-subdued); font-weight: 500 }
tbody tr { border-top: 1px solid var(--border-color-primary) }
tbody tr.chosen { background: var(--background-fill-secondary) }
td.long { white-space: normal; min-width: 11rem; width: 100%; overflow-wrap: anywhere }
.brief { display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden;
  color: var(--body-text-color-subdued); font-size: .82rem }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--border-color-primary);
  border-radius: 8px; padding: .25rem .6rem; cursor: pointer; margin: 0 .25rem .25rem 0 }
button.name { border: 0; padding: 0; font-weight: 600; text-decoration: underline; text-underline-offset: .2em;
  overflow-wrap: anywhere; white-space: normal; text-align: start }
:focus-visible { outline: 3px solid var(--color-accent); outline-offset: 2px }
.empty { color: var(--body-text-color-subdued) }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .5rem 1rem; margin: 1rem 0 }
.facts dt { color: var(--body-text-color-subdued); font-size: .82rem }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.facts .wide { grid-column: 1 / -1 }
.reason { overflow-wrap: anywhere }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 18rem), 1fr)); gap: 1rem }
figure { margin: 0; min-width: 0 }
figcaption { font-size: .85rem; display: flex; flex-wrap: wrap; gap: .1rem .8rem }
figcaption b { font-weight: 600 }
svg { width: 100%; height: auto; display: block }
svg text { fill: var(--body-text-color-subdued); font-size: 11px }
svg path { fill: none; stroke-width: 1.6; vector-effect: non-scaling-stroke }
svg .axis { stroke: var(--border-color-primary) }
.key::before { content: ""; display: inline-block; width: .8em; height: .25em; background: var(--line);
  margin-inline-end: .35em; vertical-align: middle }
`;
// Facts of more signs than this have a line of their own.
const WIDE = 20;
// After so many milliseconds what is ticked is told again, if the page shows otherwise: an answer may have been late.
const AGAIN_MS = 2000;
// Told apart on white and on black.
const LINES = ["#3b82f6", "#d97706", "#0d9f72", "#d9489b"];
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [320, 170, 46, 18, 8];

class Runs extends DataElement {
  #shown = "";
  #ticked = new Set();
  #told = 0;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).innerHTML = `<style>${STYLE}</style><div class="runs"></div>
      <p class="reason" role="status"></p><dl class="facts"></dl><div class="curves"></div>`;
  }

  // {empty, label, compare, columns: [text], rows: [{key, name, changes, cells: [text], actions: [[action, text]]}],
  //  compared: [key], chosen, reason, facts: [[label, text]], curves: [{name, lines: [{label, points: [[step, value]]}]}]}
  set data(data) {
    const compared = data?.compared ?? [];
    const isKnown = compared.length === this.#ticked.size && compared.every((key) => this.#ticked.has(key));
    if (!isKnown && performance.now() - this.#told > AGAIN_MS) this.#compare();
    const shown = JSON.stringify(data ?? {});
    if (shown === this.#shown) return;
    this.#shown = shown;
    const root = this.shadowRoot;
    const focused = root.activeElement?.dataset.focus;
    const { rows = [], facts = [], curves = [], reason = "" } = data ?? {};
    root.querySelector(".runs").replaceChildren(
      rows.length ? this.#table(data) : make("p", { className: "empty", textContent: data?.empty ?? "" }),
    );
    root.querySelector(".reason").textContent = reason;
    root.querySelector(".facts").replaceChildren(...facts.map(([label, text]) =>
      make("div", { className: text.length > WIDE ? "wide" : "" },
        [make("dt", { textContent: label }), make("dd", { textContent: text })])));
    root.querySelector(".curves").replaceChildren(...curves.map(figure));
    if (focused) root.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  }

  #table({ rows, columns, chosen, label, compare }) {
    const head = make("tr", {}, columns.map((text) => make("th", { scope: "col", textContent: text })));
    const body = rows.map((row) => make("tr", { className: row.key === chosen ? "chosen" : "" }, [
      make("td", {}, [this.#mark(row, compare)]),
      make("td", { className: "long" }, [
        this.#button("name", row, "choose", row.name),
        make("span", { textContent: row.changes, title: row.changes, className: "brief" }),
      ]),
      make("td", {}, row.actions.map(([action, text]) => this.#button("", row, action, text))),
      ...row.cells.map((text) => make("td", { textContent: text })),
    ]));
    const table = make("table", {}, [make("thead", {}, [head]), make("tbody", {}, body)]);
    table.setAttribute("aria-label", label);
    const scroll = make("div", { className: "scroll", tabIndex: 0 }, [table]);
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", label);
    return scroll;
  }

  #mark(row, compare) {
    const mark = make("input", { type: "checkbox", value: row.key, checked: this.#ticked.has(row.key) });
    mark.setAttribute("aria-label", `${compare}: ${row.name}`);
    mark.dataset.focus = `mark ${row.key}`;
    mark.onchange = () => {
      if (mark.checked) this.#ticked.add(row.key);
      else this.#ticked.delete(row.key);
      this.#compare();
    };
    return mark;
  }

  #compare() {
    this.#told = performance.now();
    this.#tell("compare", { compared: [...this.#ticked] });
  }

  #button(className, row, action, text) {
    const button = make("button", { className, textContent: text });
    if (action !== "choose") button.setAttribute("aria-label", `${text}: ${row.name}`);
    button.dataset.focus = `${action} ${row.key}`;
    button.onclick = () => this.#tell(action === "choose" ? "choose" : "act", { key: row.key, action });
    return button;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function make(name, properties = {}, children = []) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function drawn(name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

// A figure of lines over the training step.
function figure({ name, lines }) {
  const points = lines.flatMap((line) => line.points);
  const [lastStep, low, high] = [
    Math.max(1, ...points.map(([step]) => step)),
    Math.min(...points.map(([, value]) => value)),
    Math.max(...points.map(([, value]) => value)),
  ];
  const span = high - low || Math.abs(high) || 1;
  const x = (step) => LEFT + (step / lastStep) * (WIDTH - LEFT - 6);
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / span) * (HEIGHT - BOTTOM - TOP);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": name });
  svg.append(
    drawn("path", { class: "axis", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - 6}` }),
    drawn("text", { x: LEFT - 4, y: TOP + 6, "text-anchor": "end" }, brief(high)),
    drawn("text", { x: LEFT - 4, y: HEIGHT - BOTTOM, "text-anchor": "end" }, brief(low)),
    drawn("text", { x: WIDTH - 6, y: HEIGHT - 4, "text-anchor": "end" }, String(lastStep)),
    ...lines.map((line, i) => drawn("path", {
      stroke: LINES[i % LINES.length],
      d: line.points.map(([step, value], j) => `${j ? "L" : "M"}${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join(""),
      "stroke-linecap": "round",
    })),
  );
  const keys = lines.map((line, i) => {
    const last = line.points.at(-1)[1];
    const key = make("span", { className: "key", textContent: `${lines.length > 1 ? `${line.label} ` : ""}${brief(last)}` });
    key.style.setProperty("--line", LINES[i % LINES.length]);
    return key;
  });
  return make("figure", {}, [make("figcaption", {}, [make("b", { textContent: name }), ...keys]), svg]);
}

function brief(value) {
  return String(Number(value.toPrecision(3)));
}

customElements.define("saga-runs", Runs);
