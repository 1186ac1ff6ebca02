// <saga-blind>: A, X and B in sync, of which X is one of the others; tells `answer` with {trial, said}.

import { icon } from "./controls.js";
import { DataElement, element } from "./element.js";
import { BLIND_TEST } from "./mixer.js";
import { Playback } from "./playback.js";
import { Source } from "./source.js";
import { followTheme } from "./theme.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";
import { clock, wordsFor } from "./words.js";

const STYLE = new URL("./player.css", import.meta.url).href;
const HEARD = ["a", "x", "b"];
const SEEK_S = 2;

class Blind extends DataElement {
  #data = null;
  #listening = null;
  #unfollow = null;
  #sized = new ResizeObserver(() => this.#listening?.place());

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).append(element("link", { rel: "stylesheet", href: STYLE }));
    this.shadowRoot.firstChild.addEventListener("load", () => this.#listening?.place());
    this.shadowRoot.addEventListener("keydown", (event) => this.#key(event));
  }

  connectedCallback() {
    this.#unfollow = followTheme(this);
    this.#sized.observe(this);
    super.connectedCallback();
    this.data = this.#data;
  }

  disconnectedCallback() {
    this.#unfollow();
    this.#sized.disconnect();
    this.#close();
  }

  // {id, language, sample_rate, duration_s, channels: how many, sources: {a, x, b: {url, segment_s}}, trial,
  //  words: {trial, listen, a, x, b, is_a, is_b, hint}: texts}
  set data(data) {
    this.#data = data ?? null;
    if (this.#listening?.id !== data?.id) this.#close();
    if (!data || !this.isConnected) return;
    if (!this.#listening) {
      this.#listening = new Listening(data, (said) => this.#answer(said));
      this.shadowRoot.append(this.#listening.root);
    }
    this.#listening.update(data);
  }

  get data() {
    return this.#data;
  }

  /** What plays it. */
  get playback() {
    return this.#listening?.playback ?? null;
  }

  #close() {
    this.#listening?.close();
    this.#listening = null;
  }

  #answer(said) {
    this.dispatchEvent(new CustomEvent("answer", { detail: { trial: this.#data.trial, said } }));
  }

  #key(event) {
    const listening = this.#listening;
    if (!listening || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    const actions = {
      " ": () => listening.togglePlay(),
      l: () => listening.toggleLoop(),
      arrowleft: () => listening.seekBy(-SEEK_S),
      arrowright: () => listening.seekBy(SEEK_S),
      ...Object.fromEntries(HEARD.map((name) => [name, () => listening.playback.setListen(name)])),
    };
    // Space presses the button that has the focus.
    if (!actions[key] || (key === " " && event.target.matches("button"))) return;
    event.preventDefault();
    actions[key]();
  }
}

// One test while it is shown.
class Listening {
  #sources = {};
  #following = false;

  constructor(data, answer) {
    this.id = data.id;
    this.data = data;
    this.words = wordsFor(data.language);
    this.view = new View(data.duration_s);
    this.timeline = new Timeline(this.view, this.words);
    this.playback = new Playback(
      data.sample_rate, Math.round(data.duration_s * data.sample_rate), data.channels, BLIND_TEST,
    );
    this.trial = element("p", { class: "trial", role: "status" });
    this.play = element("button", { type: "button", class: "round", "aria-keyshortcuts": "Space" });
    this.listen = Object.fromEntries(HEARD.map((name) => [name, this.#button(data.words[name], { "aria-keyshortcuts": name })]));
    const listen = element("div", { class: "joined heard", role: "group", "aria-label": data.words.listen });
    listen.append(...Object.values(this.listen));
    this.loop = this.#button(icon("loop"), { "aria-label": this.words.loop, title: this.words.loop, "aria-keyshortcuts": "L" });
    this.clock = element("span", { class: "clock" });
    const controls = element("div", { class: "controls" }, this.play, listen, this.loop, this.clock);
    const answers = element("div", { class: "answers" });
    for (const said of ["a", "b"]) {
      const button = this.#button(data.words[`is_${said}`]);
      button.addEventListener("click", () => answer(said));
      answers.append(button);
    }
    const hint = element("p", { class: "hint" }, data.words.hint);
    this.root = element("div", { class: "player blind", lang: data.language }, this.trial, controls, this.timeline.ruler, answers, hint);
    this.#wire();
  }

  /** Take what is to be heard now: with each trial another X. */
  update(data) {
    const isNext = data.trial !== this.data.trial;
    this.data = data;
    this.trial.textContent = data.words.trial;
    for (const name of HEARD) this.#sources[name] = this.#source(name, data.sources[name]);
    if (isNext) {
      this.playback.pause();
      this.playback.seek(this.timeline.loop ? this.timeline.loop.begin_s * data.sample_rate : 0);
      this.playback.setListen("a");
    }
    this.playback.use({ ...this.#sources });
    for (const source of Object.values(this.#sources)) source.load(0);
    this.place();
    this.#show();
  }

  close() {
    this.playback.close();
    for (const source of Object.values(this.#sources)) source.close();
    this.root.remove();
  }

  togglePlay() {
    if (this.playback.playing) this.playback.pause();
    else this.playback.play();
  }

  toggleLoop() {
    this.timeline.setLoop(this.timeline.loop ? null : { begin_s: this.view.begin, end_s: this.view.end }, true);
  }

  seekBy(seconds) {
    this.playback.seek(this.playback.position() + seconds * this.data.sample_rate);
  }

  /** Put the time axis where there is room for it. */
  place() {
    this.timeline.place();
    this.#placePosition();
  }

  #button(content, attributes = {}) {
    return element("button", { type: "button", ...attributes }, content);
  }

  #source(name, described) {
    const before = this.#sources[name];
    if (before?.url === described.url) return before;
    before?.close();
    const source = new Source(described, this.data.sample_rate, this.data.duration_s);
    source.onerror = (error) => {
      this.trial.textContent = `${this.words.failed} (${error.message})`;
    };
    return source;
  }

  #wire() {
    const { playback, timeline, data } = this;
    this.play.addEventListener("click", () => this.togglePlay());
    this.loop.addEventListener("click", () => this.toggleLoop());
    for (const name of HEARD) this.listen[name].addEventListener("click", () => playback.setListen(name));
    playback.addEventListener("change", () => this.#show());
    timeline.addEventListener("seek", ({ detail }) => playback.seek(detail * data.sample_rate));
    timeline.addEventListener("loop", () => {
      const { loop } = timeline;
      const samples = (seconds) => Math.round(seconds * data.sample_rate);
      playback.setLoop(loop && { begin: samples(loop.begin_s), end: samples(loop.end_s) });
    });
  }

  #show() {
    const { playing, listen, loop } = this.playback;
    this.play.setAttribute("aria-label", this.words[playing ? "pause" : "play"]);
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    for (const name of HEARD) this.listen[name].setAttribute("aria-pressed", name === listen);
    this.loop.setAttribute("aria-pressed", Boolean(loop));
    this.#placePosition();
    this.#follow();
  }

  #placePosition() {
    const seconds = this.playback.heard / this.data.sample_rate;
    this.timeline.setPosition(seconds);
    const text = `${clock(seconds)} / ${clock(this.data.duration_s)}`;
    if (this.clock.textContent !== text) this.clock.textContent = text;
  }

  #follow() {
    if (!this.playback.playing || this.#following) return;
    this.#following = true;
    const step = () => {
      this.#following = this.playback.playing && this.root.isConnected;
      this.#placePosition();
      if (this.#following) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}

customElements.define("saga-blind", Blind);
