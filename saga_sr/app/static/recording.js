// All that belongs to one recording while it is shown: its sound, its pictures and its lines.

import { Controls } from "./controls.js";
import { Edges } from "./edges.js";
import { element } from "./element.js";
import { listenTo } from "./gestures.js";
import { matchingGainDb } from "./matching.js";
import { Pictures } from "./pictures.js";
import { Playback } from "./playback.js";
import { Source } from "./source.js";
import { Spectra } from "./spectra.js";
import { Timeline } from "./timeline.js";
import { View } from "./view.js";
import { clock } from "./words.js";

// New tiles are drawn at most so often.
const REDRAW_MS = 80;

export class Recording extends EventTarget {
  gainDb = null;
  #sources = {};
  #sentEdges = null;
  #edges = [];
  #drawing = 0;
  #matching = false;
  #message = "";

  constructor(data, words) {
    super();
    this.words = words;
    this.id = data.id;
    this.durationS = data.duration_s;
    this.sampleRate = data.sample_rate;
    this.channels = data.channels;
    this.view = new View(this.durationS);
    this.playback = new Playback(this.sampleRate, Math.round(this.durationS * this.sampleRate), this.channels.length);
    this.spectra = new Spectra(this.sampleRate);
    this.controls = new Controls(words, this.channels);
    this.timeline = new Timeline(this.view, words);
    this.edges = new Edges(this.view, words);
    this.pictures = new Pictures(words, this.view, this.spectra, this.timeline, this.sampleRate / 2);
    this.pictures.all.input.plot.append(this.edges.layer);
    this.status = element("p", { class: "status", role: "status" });
    this.hint = element("p", { class: "hint" }, words.hint);
    const label = data.name ? `${words.player}: ${data.name}` : words.player;
    this.root = element("div", { class: "player", role: "group", "aria-label": label });
    this.root.append(this.controls.bar, this.pictures.grid, this.status, this.hint);
    this.#wire();
    this.update(data);
  }

  /** Take what the server says of the same recording now. */
  update(data) {
    const had = this.#sources;
    this.#sources = { input: this.#source("input", data.input), result: this.#source("result", data.result) };
    if (had.result !== this.#sources.result) {
      this.gainDb = data.result_gain_db ?? null;
      this.playback.gainDb = this.gainDb ?? 0;
    }
    this.playback.use(this.#sources);
    const sent = JSON.stringify(data.edges ?? []);
    if (sent !== this.#sentEdges) {
      this.#sentEdges = sent;
      this.#edges = JSON.parse(sent);
      this.#showEdges();
    }
    this.pictures.arrange(Boolean(this.#sources.result), this.pictures.showsDifference);
    this.#match();
    this.#show();
    this.redraw();
  }

  close() {
    this.playback.close();
    this.spectra.close();
    for (const source of Object.values(this.#sources)) source?.close();
  }

  get positionS() {
    return this.playback.position() / this.sampleRate;
  }

  get loop() {
    return this.playback.loop && this.timeline.loop;
  }

  /** Repeat a stretch; null plays on. */
  setLoop(loop) {
    this.timeline.setLoop(loop, true);
  }

  /** Repeat the marked stretch, or what is shown if none is; or go on. */
  toggleLoop() {
    this.setLoop(this.timeline.loop ? null : { begin_s: this.view.begin, end_s: this.view.end });
  }

  /** Begin or end the loop here. */
  markHere(end) {
    const loop = this.timeline.loop ?? { begin_s: 0, end_s: this.durationS };
    this.setLoop({ ...loop, [end]: this.positionS });
  }

  seek(seconds) {
    this.playback.seek(seconds * this.sampleRate);
  }

  setListen(listen) {
    if (!this.#sources.result && listen !== "input") return;
    this.playback.setListen(listen);
    this.#tell("listenchange", { listen });
  }

  /** From the input to the result and back. */
  switch() {
    this.setListen(this.playback.listen === "result" ? "input" : "result");
  }

  togglePlay() {
    if (this.playback.playing) this.playback.pause();
    else this.playback.play();
    this.#follow();
  }

  redraw() {
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      this.timeline.place();
      this.edges.place();
      this.#placePosition();
      this.pictures.draw(this.#sources, this.gainDb ?? 0);
    });
  }

  #source(name, described) {
    const before = this.#sources[name];
    if (described && before?.url === described.url) {
      before.grow(described);
      return before;
    }
    before?.close();
    this.spectra.forget(name);
    if (!described) return null;
    const source = new Source(described, this.sampleRate, this.durationS);
    source.onerror = (error) => this.#fail(error);
    return source;
  }

  #wire() {
    const { controls, playback, view, timeline, edges, spectra } = this;
    controls.addEventListener("play", () => this.togglePlay());
    for (const name of ["input", "result", "added"]) controls.addEventListener(name, () => this.setListen(name));
    controls.addEventListener("loop", () => this.toggleLoop());
    controls.addEventListener("zoom_in", () => view.zoomBy(2, this.#middle()));
    controls.addEventListener("zoom_out", () => view.zoomBy(0.5));
    controls.addEventListener("whole", () => view.show(0, this.durationS));
    controls.addEventListener("channel", () => this.#choose(controls.channel.value));
    controls.addEventListener("difference", () => this.#toggleDifference());
    playback.addEventListener("change", () => this.#played());
    view.addEventListener("change", () => this.redraw());
    timeline.addEventListener("seek", ({ detail }) => this.seek(detail));
    timeline.addEventListener("loop", () => this.#looped());
    edges.addEventListener("change", ({ detail }) => {
      this.#showEdges();
      this.#tell("edgechange", detail);
    });
    let soon = null;
    spectra.addEventListener("change", () => {
      soon ??= setTimeout(() => {
        soon = null;
        this.redraw();
      }, REDRAW_MS);
    });
    for (const picture of Object.values(this.pictures.all)) {
      listenTo(picture.plot, view, (seconds) => this.seek(seconds));
      picture.plot.addEventListener("pointermove", (event) => this.#point(picture, event));
      picture.plot.addEventListener("pointerleave", () => this.hint.replaceChildren(this.words.hint));
    }
  }

  /** Say what the pointer is on. */
  #point(picture, event) {
    const box = picture.plot.getBoundingClientRect();
    const seconds = this.view.time((event.clientX - box.left) / box.width);
    const hz = (1 - (event.clientY - box.top) / box.height) * (this.sampleRate / 2);
    const db = this.pictures.levelAt(picture.name, seconds, hz, this.gainDb ?? 0);
    const said = [clock(seconds, 2), `${(hz / 1000).toFixed(2)} kHz`, ...(db === null ? [] : [db])];
    this.hint.replaceChildren(said.join(" · "));
  }

  /** What zooming is about: the position where it is seen. */
  #middle() {
    const at = this.view.fraction(this.positionS);
    return at >= 0 && at <= 1 ? this.positionS : (this.view.begin + this.view.end) / 2;
  }

  #choose(channel) {
    this.pictures.channel = channel === "all" ? channel : Number(channel);
    this.#showEdges();
    this.redraw();
  }

  #showEdges() {
    this.edges.show(this.#edges, this.channels, this.pictures.channel, this.sampleRate / 2);
  }

  #toggleDifference() {
    const shows = !this.pictures.showsDifference;
    this.pictures.arrange(Boolean(this.#sources.result), shows);
    this.controls.difference.setAttribute("aria-pressed", shows);
    this.redraw();
  }

  #looped() {
    const { loop } = this.timeline;
    const samples = loop && {
      begin: Math.round(loop.begin_s * this.sampleRate), end: Math.round(loop.end_s * this.sampleRate),
    };
    this.playback.setLoop(samples);
    this.#tell("loopchange", loop ?? { begin_s: null, end_s: null });
  }

  #played() {
    const was = this.root.classList.contains("playing");
    this.#show();
    if (was !== this.playback.playing) {
      this.#tell("playchange", { playing: this.playback.playing, position_s: this.positionS });
    }
    this.#placePosition();
    this.#follow();
  }

  /** Move the line with the sound, and the view with the line. */
  #follow() {
    if (!this.playback.playing || this.following) return;
    this.following = true;
    const step = () => {
      this.following = this.playback.playing && this.root.isConnected;
      const seconds = this.#placePosition();
      const { begin, end, span } = this.view;
      if (this.following && seconds > end && begin < this.durationS - span) this.view.show(seconds, seconds + span);
      if (this.following) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  #placePosition() {
    const seconds = this.playback.heard / this.sampleRate;
    this.timeline.setPosition(seconds);
    this.pictures.place(seconds, this.timeline.loop);
    const text = `${clock(seconds)} / ${clock(this.durationS)}`;
    if (this.controls.clock.textContent !== text) this.controls.clock.textContent = text;
    return seconds;
  }

  #show() {
    const { playing, waiting, listen } = this.playback;
    const { result } = this.#sources;
    this.root.classList.toggle("playing", playing);
    this.pictures.hear(listen);
    this.controls.show({ playing, listen, hasResult: Boolean(result), isLooping: Boolean(this.playback.loop) });
    const said = [];
    if (this.#message) said.push(this.#message);
    if (waiting) said.push(this.words.waiting);
    if (result && result.ready < result.count) {
      said.push(this.words.restored(clock(result.readyS, 0), clock(this.durationS, 0)));
    }
    if (result && this.gainDb !== null) said.push(this.words.matched(signed(this.gainDb)));
    const text = said.join(" · ");
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  /** Match the levels once. */
  async #match() {
    const { input, result } = this.#sources;
    if (!result || this.gainDb !== null || this.#matching) return;
    this.#matching = true;
    const gainDb = await matchingGainDb(this.spectra, input, result, this.#edges);
    this.#matching = false;
    if (result !== this.#sources.result) return this.#match();
    if (gainDb === null) return;
    this.gainDb = this.playback.gainDb = gainDb;
    this.#show();
    this.redraw();
  }

  #fail(error) {
    this.#message = `${this.words.failed} (${error.message})`;
    this.#show();
    this.#tell("playerror", { message: error.message });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent("tell", { detail: { type, detail: { id: this.id, ...detail } } }));
  }
}

function signed(db) {
  return `${db < -0.05 ? "−" : "+"}${Math.abs(db).toFixed(1)}`;
}
