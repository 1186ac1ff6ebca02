// The measured edges, drawn on the input's spectrogram by section and channel, to be corrected.

import { drag, element } from "./element.js";
import { clock, kilohertz } from "./words.js";

const LOWEST_HZ = 500;
// Drags and keys go by steps; from this share of Nyquist an edge counts as full band.
const DRAG_HZ = 10;
const KEYS_HZ = { ArrowUp: 100, ArrowDown: -100, PageUp: 1000, PageDown: -1000 };
const FULL = 0.99;
const SETTLED_MS = 300;

export class Edges extends EventTarget {
  #lines = [];
  #timer = null;

  constructor(view, words) {
    super();
    this.view = view;
    this.words = words;
    this.layer = element("div", { class: "edges" });
    this.layer.addEventListener("pointerdown", (event) => this.#grab(event));
    this.layer.addEventListener("keydown", (event) => this.#key(event));
  }

  /**
   * Show edges.
   *
   * @param {{begin_s: number, end_s: number, hz: number}[][]} edges by channel
   * @param {string[]} names of the channels
   * @param {number | "all"} channel whose lines are shown
   */
  show(edges, names, channel, nyquistHz) {
    this.edges = edges;
    this.nyquistHz = nyquistHz;
    const focused = this.#lines.findIndex(({ handle }) => handle === handle.getRootNode().activeElement);
    this.#lines = linesOf(edges, channel).map((line) => ({ ...line, handle: this.#handle(line, names) }));
    this.layer.replaceChildren(...this.#lines.map(({ handle }) => handle));
    this.#lines[focused]?.handle.focus({ preventScroll: true });
    this.place();
  }

  /** Put the lines where the view and their frequencies have them. */
  place() {
    for (const { handle, begin_s, end_s, hz } of this.#lines) {
      const left = Math.max(this.view.fraction(begin_s), 0);
      const right = Math.min(this.view.fraction(end_s), 1);
      handle.hidden = right <= 0 || left >= 1;
      handle.style.left = `${100 * left}%`;
      handle.style.width = `${100 * (right - left)}%`;
      handle.style.top = `${100 * (1 - hz / this.nyquistHz)}%`;
      const full = hz >= this.nyquistHz * FULL;
      const text = full ? this.words.full_band : kilohertz(hz);
      handle.classList.toggle("full", full);
      handle.classList.toggle("high", hz > 0.85 * this.nyquistHz);
      handle.setAttribute("aria-valuenow", Math.round(hz));
      handle.setAttribute("aria-valuetext", text);
      handle.querySelector(".hz").textContent = text;
    }
  }

  #handle({ channels, begin_s, end_s }, names) {
    const all = channels.length === names.length;
    const who = channels.map((channel) => this.words[names[channel]] ?? names[channel]).join(", ");
    const label = `${this.words.edge}, ${who}, ${clock(begin_s)} – ${clock(end_s)}`;
    return element(
      "div",
      {
        class: `edge colour${all ? 0 : channels[0] % 4}`,
        role: "slider",
        tabindex: "0",
        "aria-label": label,
        "aria-orientation": "vertical",
        "aria-valuemin": LOWEST_HZ,
        "aria-valuemax": Math.round(this.nyquistHz),
      },
      element("span", { class: "stroke" }),
      element("span", { class: "badge" }, all ? "" : `${who} `, element("span", { class: "hz" })),
    );
  }

  #grab(event) {
    const line = this.#lines.find(({ handle }) => handle.contains(event.target));
    if (!line || event.button) return;
    event.preventDefault();
    event.stopPropagation();
    line.handle.focus({ preventScroll: true });
    const box = this.layer.getBoundingClientRect();
    // The line stays where it was held, however far from it that was.
    const off = event.clientY - box.top - box.height * (1 - line.hz / this.nyquistHz);
    const before = line.hz;
    const move = ({ clientY }) => {
      const hz = (1 - (clientY - off - box.top) / box.height) * this.nyquistHz;
      this.#set(line, Math.round(hz / DRAG_HZ) * DRAG_HZ);
    };
    drag(line.handle, event, move, () => line.hz !== before && this.#settled(line));
  }

  #key(event) {
    const line = this.#lines.find(({ handle }) => handle === event.target);
    const steps = { ...KEYS_HZ, Home: -Infinity, End: Infinity };
    if (!line || !(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.#set(line, line.hz + steps[event.key] / (event.shiftKey ? 10 : 1));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settled(line), SETTLED_MS);
  }

  #set(line, wanted) {
    const inside = Math.min(Math.max(wanted, LOWEST_HZ), this.nyquistHz);
    line.hz = inside >= this.nyquistHz * FULL && wanted > line.hz ? this.nyquistHz : inside;
    for (const channel of line.channels) this.edges[channel][line.sections[channel]].hz = line.hz;
    this.place();
  }

  #settled({ channels, sections, begin_s, end_s, hz }) {
    const detail = { section: sections[channels[0]], channels, begin_s, end_s, hz, edges: structuredClone(this.edges) };
    this.dispatchEvent(new CustomEvent("change", { detail }));
  }
}

/** A line for each section of each channel shown; what coincides in several channels is one. */
function linesOf(edges, shown) {
  const lines = new Map();
  edges.forEach((sections, channel) => {
    if (shown !== "all" && channel !== shown) return;
    sections.forEach(({ begin_s, end_s, hz }, section) => {
      const key = `${begin_s} ${end_s} ${hz}`;
      const line = lines.get(key) ?? { begin_s, end_s, hz, channels: [], sections: {} };
      line.channels.push(channel);
      line.sections[channel] = section;
      lines.set(key, line);
    });
  });
  return [...lines.values()];
}
