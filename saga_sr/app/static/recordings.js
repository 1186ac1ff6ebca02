// <saga-recordings>: the recordings of a page, a row each, with how far they are; tells `choose` and `remove`.

import { DataElement } from "./element.js";

const STYLE = `
:host { display: block; color: var(--body-text-color) }
ul { list-style: none; margin: 0; padding: 0; border: 1px solid var(--border-color-primary); border-radius: 14px;
  overflow: hidden; background: var(--block-background-fill) }
ul:empty { display: none }
li { position: relative; display: grid; grid-template-columns: 1fr auto; align-items: center }
li + li { border-top: 1px solid var(--border-color-primary) }
.choose { all: unset; box-sizing: border-box; display: grid; gap: .15rem; padding: .7rem 1rem; cursor: pointer;
  min-width: 0; border-inline-start: 4px solid transparent }
.choose[aria-pressed="true"] { border-inline-start-color: var(--color-accent);
  background: var(--background-fill-secondary) }
.choose:focus-visible, .remove:focus-visible { outline: 3px solid var(--color-accent); outline-offset: -3px }
.name { font-weight: 600; overflow-wrap: anywhere }
.facts { color: var(--body-text-color-subdued); font-size: .88rem }
.state { font-size: .88rem; font-variant-numeric: tabular-nums }
.failure { color: var(--error-text-color, #b91c1c) }
.bar { position: absolute; inset: auto 0 0 0; height: 3px; width: 0; background: var(--color-accent); transition: width .3s }
.remove { all: unset; padding: .8rem 1.1rem; cursor: pointer; color: var(--body-text-color-subdued); font-size: 1.1rem }
.remove:hover { color: var(--body-text-color) }
`;

class Recordings extends DataElement {
  #rows = new Map();
  #version = 0;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).innerHTML = `<style>${STYLE}</style><ul></ul>`;
  }

  // {version: what is older than what was shown is passed over, chosen: key, rows: [{key, name, facts, state, failure, share, choose, remove}]}; texts, and a share of 0 to 1
  set data(data) {
    const { rows = [], chosen, version = 0 } = data ?? {};
    if (version < this.#version) return;
    this.#version = version;
    const list = this.shadowRoot.querySelector("ul");
    for (const [key, row] of this.#rows) {
      if (!rows.some((one) => one.key === key)) {
        row.remove();
        this.#rows.delete(key);
      }
    }
    for (const one of rows) {
      if (!this.#rows.has(one.key)) {
        this.#rows.set(one.key, this.#row(one.key));
        list.append(this.#rows.get(one.key));
      }
      fill(this.#rows.get(one.key), one, one.key === chosen);
    }
  }

  #row(key) {
    const row = document.createElement("li");
    row.innerHTML = `<button class="choose"><span class="name"></span><span class="facts"></span>
      <span class="state"></span></button><button class="remove">✕</button><div class="bar"></div>`;
    for (const name of ["choose", "remove"]) {
      row.querySelector(`.${name}`).onclick = () => this.dispatchEvent(new CustomEvent(name, { detail: { key } }));
    }
    return row;
  }
}

function fill(row, one, isChosen) {
  const put = (name, text) => {
    const element = row.querySelector(name);
    if (element.textContent !== text) element.textContent = text;
  };
  put(".name", one.name);
  put(".facts", one.facts);
  put(".state", one.failure || one.state);
  row.querySelector(".state").classList.toggle("failure", Boolean(one.failure));
  row.querySelector(".choose").setAttribute("aria-pressed", String(isChosen));
  row.querySelector(".remove").setAttribute("aria-label", one.remove);
  row.querySelector(".bar").style.width = `${100 * one.share}%`;
}

customElements.define("saga-recordings", Recordings);
