// The time axis: where it is, what is looped, and which stretch is shown.

import { drag, element } from "./element.js";
import { clock } from "./words.js";

const STEPS_S = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const TICK_PX = 64;
// Labels this close to an end of the axis, as a share of it, stay inside.
const EDGE = 0.02;
const SHORTEST_LOOP_S = 0.05;
// A pointer that moved by less than this was not dragged.
const STILL_PX = 4;

export class Timeline extends EventTarget {
  loop = null; // {begin_s, end_s}

  constructor(view, words) {
    super();
    this.view = view;
    this.words = words;
    this.ticks = element("div", { class: "ticks", "aria-hidden": "true" });
    this.stretch = element("div", { class: "stretch", hidden: "" });
    this.ends = { begin_s: this.#slider(words.loop_begin, "loop-end"), end_s: this.#slider(words.loop_end, "loop-end") };
    this.head = this.#slider(words.position, "head");
    this.ruler = element(
      "div", { class: "ruler" }, this.ticks, this.stretch, this.head, this.ends.begin_s, this.ends.end_s,
    );
    this.ruler.addEventListener("pointerdown", (event) => this.#mark(event));
    this.head.addEventListener("keydown", (event) => this.#key(event, "head"));
    for (const end of ["begin_s", "end_s"]) {
      this.ends[end].addEventListener("keydown", (event) => this.#key(event, end));
      this.ends[end].addEventListener("pointerdown", (event) => this.#move(event, end));
    }
    this.thumb = this.#slider(words.shown, "thumb");
    this.track = element("div", { class: "track" }, this.thumb);
    this.thumb.addEventListener("pointerdown", (event) => this.#scroll(event));
    this.thumb.addEventListener("keydown", (event) => this.#key(event, "thumb"));
  }

  /** Mark a stretch, or none by null; told to others only if `tell`. */
  setLoop(loop, tell = false) {
    const [begin, end] = loop ? [Math.min(loop.begin_s, loop.end_s), Math.max(loop.begin_s, loop.end_s)] : [0, 0];
    const inside = { begin_s: Math.max(begin, 0), end_s: Math.min(end, this.view.durationS) };
    this.loop = loop && inside.end_s - inside.begin_s >= SHORTEST_LOOP_S ? inside : null;
    this.place();
    if (tell) this.dispatchEvent(new Event("loop"));
  }

  /** Put all where the view has it. */
  place() {
    this.#tick();
    this.stretch.hidden = !this.loop;
    for (const [end, handle] of Object.entries(this.ends)) {
      const at = this.loop ? this.view.fraction(this.loop[end]) : -1;
      handle.hidden = at < 0 || at > 1;
      if (this.loop) this.#say(handle, this.loop[end], at);
    }
    if (this.loop) {
      const [left, right] = [this.loop.begin_s, this.loop.end_s].map((s) => this.view.fraction(s));
      this.stretch.style.left = `${100 * Math.max(left, 0)}%`;
      this.stretch.style.width = `${100 * Math.max(Math.min(right, 1) - Math.max(left, 0), 0)}%`;
    }
    const { begin, span, durationS, isWhole } = this.view;
    this.track.classList.toggle("whole", isWhole);
    this.thumb.style.width = `max(${(100 * span) / durationS}%, 24px)`;
    this.#say(this.thumb, begin, begin / durationS);
  }

  /** Show where it is. */
  setPosition(seconds) {
    const at = this.view.fraction(seconds);
    this.position = seconds;
    this.head.hidden = at < 0 || at > 1;
    this.#say(this.head, seconds, at);
  }

  #slider(label, kind) {
    return element("div", {
      class: kind, role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": 0,
      "aria-valuemax": this.view.durationS,
    });
  }

  #say(slider, seconds, at) {
    slider.style.left = `${100 * at}%`;
    slider.setAttribute("aria-valuenow", seconds.toFixed(3));
    slider.setAttribute("aria-valuetext", clock(seconds));
  }

  #tick() {
    const { begin, end, span } = this.view;
    const most = Math.max(this.ruler.clientWidth / TICK_PX, 2);
    const step = STEPS_S.find((seconds) => span / seconds <= most) ?? 14_400;
    const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
    const ticks = [];
    for (let i = Math.ceil(begin / step - 1e-9); i * step <= end + 1e-9; i += 1) {
      const text = span > 60 || begin > 60 ? clock(i * step, digits) : `${(i * step).toFixed(digits)} s`;
      const at = this.view.fraction(i * step);
      const where = at < EDGE ? "first" : at > 1 - EDGE ? "last" : null;
      ticks.push(element("span", { style: `left: ${100 * at}%`, class: where }, text));
    }
    this.ticks.replaceChildren(...ticks);
  }

  #timeOf({ clientX }) {
    const box = this.ruler.getBoundingClientRect();
    return this.view.time(Math.min(Math.max((clientX - box.left) / box.width, 0), 1));
  }

  /** A drag marks a stretch, a click goes there. */
  #mark(event) {
    if (event.button || event.target.classList.contains("loop-end")) return;
    event.preventDefault();
    this.head.focus({ preventScroll: true });
    const from = this.#timeOf(event);
    let dragged = false;
    const move = (next) => {
      dragged ||= Math.abs(next.clientX - event.clientX) >= STILL_PX;
      if (dragged) this.setLoop({ begin_s: from, end_s: this.#timeOf(next) });
    };
    drag(this.ruler, event, move, () => (dragged ? this.setLoop(this.loop, true) : this.#seek(from)));
  }

  #move(event, end) {
    if (event.button) return;
    event.preventDefault();
    event.stopPropagation();
    this.ends[end].focus({ preventScroll: true });
    const move = (next) => this.#moveEnd(end, this.#timeOf(next));
    drag(this.ends[end], event, move, () => this.setLoop(this.loop, true));
  }

  /** Move an end of the loop, which stays on its side of the other. */
  #moveEnd(end, seconds) {
    const { begin_s, end_s } = this.loop;
    if (end === "begin_s") this.setLoop({ begin_s: Math.min(seconds, end_s - SHORTEST_LOOP_S), end_s });
    else this.setLoop({ begin_s, end_s: Math.max(seconds, begin_s + SHORTEST_LOOP_S) });
  }

  #scroll(event) {
    if (event.button) return;
    event.preventDefault();
    this.thumb.focus({ preventScroll: true });
    let last = event.clientX;
    drag(this.thumb, event, ({ clientX }) => {
      this.view.moveBy(((clientX - last) / this.track.clientWidth) * this.view.durationS);
      last = clientX;
    });
  }

  #key(event, what) {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
    const far = { Home: -Infinity, End: Infinity }[event.key];
    if ((!direction && !far) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const seconds = far ?? (direction * this.view.span) / (event.shiftKey ? 1000 : 50);
    if (what === "thumb") this.view.moveBy(far ? Math.sign(far) * this.view.durationS : seconds * 5);
    else if (what === "head") this.#seek(this.position + seconds);
    else {
      this.#moveEnd(what, Math.min(Math.max(this.loop[what] + seconds, 0), this.view.durationS));
      this.setLoop(this.loop, true);
    }
  }

  #seek(seconds) {
    const inside = Math.min(Math.max(seconds, 0), this.view.durationS);
    this.dispatchEvent(new CustomEvent("seek", { detail: inside }));
  }
}
