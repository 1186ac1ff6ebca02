// Recordings played in sync by one clock.

import { COMPARISON, Mixer } from "./mixer.js";

// How far ahead of what is heard pieces are scheduled (pages in the background are woken once a second), and how often.
const AHEAD_S = 3;
const TICK_MS = 100;
// What lies further ahead is loaded.
const LOAD_S = 10;
const MOST_LOADED = 8;
// Pieces are no longer than this, so that what is copied for them is small.
const PIECE_S = 5;
// From a command to what is heard, so that all of it is scheduled in time; twice as long each time that it was not.
const LEAD_S = 0.05;
const LONGEST_LEAD_S = 0.8;
export class Playback extends EventTarget {
  playing = false;
  waiting = false;
  loop = null; // {begin, end} in samples
  #sources = {};
  #gainDb = 0;
  #mixer = null;
  #faded;
  #names;
  #pieces = [];
  #next = { sample: 0, frame: 0 };
  #timer = null;
  #leadS = LEAD_S;

  /**
   * @param {number} sampleRate Hz
   * @param {number} samples
   * @param {number} channels of each recording
   * @param {typeof COMPARISON} faded what can be listened to of which recordings; the first can be heard by itself
   */
  constructor(sampleRate, samples, channels, faded = COMPARISON) {
    super();
    Object.assign(this, { sampleRate, samples, channels });
    this.#faded = faded;
    this.#names = Object.keys(faded.shares);
    this.listen = this.#first;
  }

  /** The AudioContext, once something was played. */
  get context() {
    return this.#mixer?.context ?? null;
  }

  get #first() {
    return this.#names[0];
  }

  /** Take sources by name; all but the first may be absent. */
  use(sources) {
    const changed = this.#names.some((name) => sources[name] !== this.#sources[name]);
    this.#sources = sources;
    if (!this.#names.every((name) => sources[name])) this.#hear(this.#first);
    if (this.playing && changed) this.#again();
    this.#tick();
  }

  /** By how much the second has to be turned up to match the first. */
  set gainDb(db) {
    this.#gainDb = db;
    if (this.#mixer) this.#mixer.gainDb = db;
  }

  /** Hear a recording by its name, or what was `added`: result less input. */
  setListen(listen) {
    this.#hear(listen);
    // What was scheduled while only the first was there has no other in it.
    if (this.playing && listen !== this.#first && this.#pieces.some(({ whole }) => !whole)) this.#again();
    this.#tick();
    this.#changed();
  }

  /** The sample that is heard now. */
  position(latencyS = 0) {
    if (!this.playing) return this.#next.sample;
    return this.#sampleAt(this.#now() - latencyS * this.sampleRate);
  }

  #sampleAt(frame) {
    const piece = this.#pieces.findLast(({ at }) => at <= frame) ?? this.#pieces[0];
    return piece ? Math.min(Math.max(piece.from + frame - piece.at, piece.from), piece.to) : this.#next.sample;
  }

  /** What is seen while it is heard: sound takes a while from here to the ear. */
  get heard() {
    return this.position(this.context?.outputLatency || 0);
  }

  async play() {
    if (this.playing) return;
    this.#open();
    await this.context.resume();
    if (this.playing) return;
    let from = this.#next.sample;
    if (this.loop && (from < this.loop.begin || from >= this.loop.end)) from = this.loop.begin;
    if (from >= this.samples) from = 0;
    this.playing = true;
    this.#restart(from);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#changed();
  }

  pause() {
    if (!this.playing) return;
    const sample = Math.round(this.position());
    this.playing = this.waiting = false;
    clearInterval(this.#timer);
    this.#stop(this.#soon(), true);
    this.#next = { sample, frame: 0 };
    this.#changed();
  }

  seek(sample) {
    const to = Math.round(Math.min(Math.max(sample, 0), this.samples));
    if (this.playing) this.#restart(to);
    else this.#next = { sample: to, frame: 0 };
    this.#changed();
  }

  /** Repeat [begin, end) in samples; null plays on. */
  setLoop(loop) {
    this.loop = loop;
    if (this.playing) {
      const sample = this.position();
      if (loop && (sample < loop.begin || sample >= loop.end)) this.#restart(loop.begin);
      else this.#again();
    } else if (loop) {
      this.#next = { sample: loop.begin, frame: 0 };
    }
    this.#changed();
  }

  close() {
    clearInterval(this.#timer);
    this.context?.close();
  }

  #now() {
    return this.context ? this.context.currentTime * this.sampleRate : 0;
  }

  #soon() {
    return Math.round(this.#now() + this.#leadS * this.sampleRate);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #open() {
    if (this.#mixer) return;
    const context = new AudioContext({ sampleRate: this.sampleRate, latencyHint: "interactive" });
    this.#mixer = new Mixer(context, this.#faded, this.channels, this.listen);
    this.#mixer.gainDb = this.#gainDb;
  }

  #hear(listen) {
    this.listen = listen;
    if (this.#mixer) this.#mixer.listen = listen;
  }

  #stop(frame, dip) {
    this.#mixer.undip();
    if (dip) this.#mixer.dip(frame);
    for (const { node, end } of this.#pieces) node.stop(Math.min(frame, end) / this.sampleRate);
  }

  #restart(sample, frame = this.#soon(), dip = true) {
    this.#stop(frame, dip);
    const before = this.#pieces.filter((piece) => piece.at < frame);
    this.#pieces = before.map((piece) => ({ ...piece, to: Math.min(piece.to, piece.from + frame - piece.at) }));
    this.#next = { sample, frame };
    this.#tick();
  }

  /** Schedule anew, going on without a seam. */
  #again() {
    const frame = this.#soon();
    this.#restart(this.#sampleAt(frame), frame, false);
  }

  /** Schedule what comes next. */
  #tick() {
    if (!this.playing) return;
    const now = this.#now();
    this.#pieces = this.#pieces.filter((piece, i, all) => i === all.length - 1 || all[i + 1].at > now - this.sampleRate);
    const waited = this.waiting;
    this.waiting = false;
    while (this.#next.frame < now + AHEAD_S * this.sampleRate) {
      const { sample, frame } = this.#next;
      if (this.loop && sample === this.loop.end) {
        this.#mixer.dip(frame);
        this.#next = { sample: this.loop.begin, frame };
        continue;
      }
      if (sample >= this.samples) {
        if (now >= frame) this.pause();
        break;
      }
      const taken = this.#taken(sample);
      if (!taken) {
        this.waiting = now > frame;
        break;
      }
      this.#schedule(sample, taken, Math.max(frame, this.#soon()));
    }
    if (waited !== this.waiting) this.#changed();
  }

  /** Where the piece that begins at `sample` ends, and the segments that it is in; null while they are not there. */
  #taken(sample) {
    let end = Math.min(this.samples, sample + PIECE_S * this.sampleRate);
    if (this.loop && sample < this.loop.end) end = Math.min(end, this.loop.end);
    const parts = [];
    for (const [name, source] of Object.entries(this.#sources)) {
      if (!source) continue;
      const segment = source.segmentAt(sample);
      const buffer = source.held(segment);
      if (buffer) {
        parts.push({ name, buffer, offset: sample - source.begin(segment) });
        end = Math.min(end, source.end(segment));
        const last = Math.min(source.segmentAt(sample + LOAD_S * this.sampleRate), segment + MOST_LOADED);
        for (let next = segment + 1; next <= last; next += 1) source.load(next);
      } else if (source.isReady(segment) || this.listen !== this.#first) {
        source.load(segment).then((there) => there && this.#tick());
        return null;
      }
    }
    return { end, parts };
  }

  #schedule(sample, { end, parts }, frame) {
    const node = this.#mixer.piece(parts, end - sample);
    const last = frame + end - sample;
    node.start(frame / this.sampleRate);
    node.stop(last / this.sampleRate);
    if (this.#now() >= frame && this.#leadS < LONGEST_LEAD_S) {
      // It came too late, and would be off by that much.
      node.disconnect();
      this.#leadS *= 2;
      return;
    }
    this.#pieces.push({ from: sample, to: end, at: frame, end: last, node, whole: parts.length === this.#names.length });
    this.#next = { sample: end, frame: last };
  }
}
