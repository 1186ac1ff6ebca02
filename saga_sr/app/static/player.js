// <saga-player>: a restored recording beside what it was made of, to hear and to see.
//
// `player.data = {...}` shows a recording; CustomEvents tell what was done with it: `edgechange`, `loopchange`,
// `listenchange`, `playchange` and `playerror`.

/**
 * A recording as the server has it, or what of it is there; seconds, Hz.
 *
 * @typedef {object} Audio
 * @property {string} url of one file; with `{index}`, of a file for each `segment_s`, all at the recording's `sample_rate`
 * @property {string} [columns] url of columns of its spectrogram, with `{channel}`, `{level}`, `{first}` and `{end}`,
 *   for stretches that are too long to be fetched as sound
 * @property {number} [segment_s]
 * @property {number} [ready_s] how far it is made; all of it if left out
 *
 * @typedef {object} Data
 * @property {string} id the same as long as it is one recording: then what is heard and shown stays
 * @property {string} [name]
 * @property {string} [language] of the words; else that of the page
 * @property {number} sample_rate
 * @property {number} duration_s
 * @property {string[]} channels `left`, `right`, `mono` or names as they are
 * @property {Audio} input
 * @property {Audio | null} result
 * @property {number} [result_gain_db] by which the result has to be turned up; measured if left out
 * @property {{begin_s: number, end_s: number, hz: number}[][]} edges by channel; from Nyquist on, full band
 */

import { element } from "./element.js";
import { Recording } from "./recording.js";
import { followTheme } from "./theme.js";
import { wordsFor } from "./words.js";

const STYLE = new URL("./player.css", import.meta.url).href;
const SEEK_S = 2;

class SagaPlayer extends HTMLElement {
  #data = null;
  #recording = null;
  #language = null;
  #unfollow = null;
  #sized = new ResizeObserver(() => this.#recording?.redraw());

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).append(element("link", { rel: "stylesheet", href: STYLE }));
    this.shadowRoot.firstChild.addEventListener("load", () => this.#recording?.redraw());
    this.shadowRoot.addEventListener("keydown", (event) => this.#key(event));
  }

  connectedCallback() {
    this.#unfollow = followTheme(this);
    this.#sized.observe(this);
    // What was set before this script was here.
    const early = Object.hasOwn(this, "data") ? this.data : this.#data;
    delete this.data;
    this.data = early;
  }

  disconnectedCallback() {
    this.#unfollow();
    this.#sized.disconnect();
    this.#close();
  }

  /** @returns {Data | null} what is shown */
  get data() {
    return this.#data;
  }

  set data(data) {
    this.#data = data ?? null;
    if (!this.isConnected) return;
    const language = this.#data?.language ?? this.closest("[lang]")?.getAttribute("lang") ?? "";
    if (!this.#data) this.#close();
    else if (this.#recording?.id === this.#data.id && language === this.#language) this.#recording.update(this.#data);
    else this.#open(language);
  }

  get listen() {
    return this.#recording?.playback.listen ?? null;
  }

  get playing() {
    return this.#recording?.playback.playing ?? false;
  }

  get position_s() {
    return this.#recording?.positionS ?? 0;
  }

  get loop() {
    return this.#recording?.loop ?? null;
  }

  get view() {
    return this.#recording && { begin_s: this.#recording.view.begin, end_s: this.#recording.view.end };
  }

  get gain_db() {
    return this.#recording?.gainDb ?? null;
  }

  get context() {
    return this.#recording?.playback.context ?? null;
  }

  play() {
    return this.#recording?.playback.play();
  }

  pause() {
    this.#recording?.playback.pause();
  }

  seek(seconds) {
    this.#recording?.seek(seconds);
  }

  setListen(name) {
    this.#recording?.setListen(name);
  }

  setLoop(begin_s, end_s) {
    this.#recording?.setLoop(begin_s === null ? null : { begin_s, end_s });
  }

  zoom(begin_s, end_s) {
    this.#recording?.view.show(begin_s, end_s);
  }

  #open(language) {
    this.#close();
    this.#language = language;
    this.#recording = new Recording(this.#data, wordsFor(language));
    this.#recording.root.lang = language;
    this.#recording.addEventListener("tell", ({ detail: { type, detail } }) => {
      this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
    });
    this.shadowRoot.append(this.#recording.root);
  }

  #close() {
    this.#recording?.close();
    this.#recording?.root.remove();
    this.#recording = null;
  }

  #key(event) {
    const recording = this.#recording;
    if (!recording || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
    const { view } = recording;
    const actions = {
      " ": () => recording.togglePlay(),
      x: () => recording.switch(),
      l: () => recording.toggleLoop(),
      "[": () => recording.markHere("begin_s"),
      "]": () => recording.markHere("end_s"),
      "+": () => view.zoomBy(2),
      "=": () => view.zoomBy(2),
      "-": () => view.zoomBy(0.5),
      0: () => view.show(0, view.durationS),
      ArrowLeft: () => recording.seek(recording.positionS - SEEK_S),
      ArrowRight: () => recording.seek(recording.positionS + SEEK_S),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    // Space presses the button that has the focus.
    if (!action || (event.key === " " && event.target.matches("button"))) return;
    event.preventDefault();
    action();
  }
}

if (!customElements.get("saga-player")) customElements.define("saga-player", SagaPlayer);
