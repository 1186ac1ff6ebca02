// Recordings played in sync by one clock: which of them is heard is a matter of gains.

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
const CROSSFADE_S = 0.01;
const DIP_S = 0.004;
// What is listened to as a place on a line, and how much of each recording is heard at its beginning, middle and end.
const COMPARISON = {
  positions: { input: -1, result: 0, added: 1 },
  shares: { input: [1, 0, -1], result: [0, 1, 1] },
};
export const BLIND_TEST = {
  positions: { a: -1, x: 0, b: 1 },
  shares: { a: [1, 0, 0], x: [0, 1, 0], b: [0, 0, 1] },
};

export class Playback extends EventTarget {
  context = null;
  playing = false;
  waiting = false;
  loop = null; // {begin, end} in samples
  #sources = {};
  #gainDb = 0;
  #all = null;
  #names;
  #positions;
  #shares;
  #levels = {};
  #listen = null;
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
    this.#positions = faded.positions;
    this.#shares = faded.shares;
    this.#names = Object.keys(faded.shares);
    this.listen = this.#first;
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
    this.#level();
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
    if (this.context) return;
    this.context = new AudioContext({ sampleRate: this.sampleRate, latencyHint: "interactive" });
    this.master = new GainNode(this.context);
    this.master.connect(this.context.destination);
    // All come in the channels of one node, first the first's: nothing can part them.
    this.#all = new ChannelSplitterNode(this.context, { numberOfOutputs: this.#names.length * this.channels });
    const fader = this.#fader();
    this.#names.forEach((name, i) => {
      const joined = new ChannelMergerNode(this.context, { numberOfInputs: this.channels });
      for (let c = 0; c < this.channels; c += 1) this.#all.connect(joined, i * this.channels + c, c);
      const heard = new GainNode(this.context, { gain: 0 });
      fader.connect(new WaveShaperNode(this.context, { curve: this.#shares[name] })).connect(heard.gain);
      this.#levels[name] = new GainNode(this.context);
      joined.connect(this.#levels[name]).connect(heard).connect(this.master);
    });
    this.#level();
  }

  /** Neither is turned up to match the other, so that nothing is clipped. */
  #level() {
    const levels = [-this.#gainDb, this.#gainDb].map((db) => Math.min(1, 10 ** (db / 20)));
    Object.values(this.#levels).forEach(({ gain, context }, i) => {
      gain.setTargetAtTime(levels[i] ?? 1, context.currentTime, CROSSFADE_S / 4);
    });
  }

  #hear(listen) {
    this.listen = listen;
    if (this.context) this.#listen.value = this.#positions[listen];
  }

  /**
   * What is listened to is one number, of which both gains are made in the audio's own thread: however late a busy page
   * says it, they move in the same samples, and the sum of what is alike in both stays as it is.
   */
  #fader() {
    const listen = new ConstantSourceNode(this.context, { offset: this.#positions[this.listen] });
    const length = Math.round(CROSSFADE_S * this.sampleRate);
    const mean = new AudioBuffer({ length, sampleRate: this.sampleRate });
    mean.getChannelData(0).fill(1 / length);
    // The mean of the last samples makes a straight line of a step.
    const line = new ConvolverNode(this.context, { buffer: mean, disableNormalization: true });
    listen.connect(line);
    listen.start();
    this.#listen = listen.offset;
    return line;
  }

  /** Be silent for an instant at a jump, which would click. */
  #dip(frame) {
    const at = frame / this.sampleRate;
    this.master.gain.setValueAtTime(1, at - DIP_S);
    this.master.gain.linearRampToValueAtTime(0, at);
    this.master.gain.linearRampToValueAtTime(1, at + DIP_S);
  }

  #stop(frame, dip) {
    this.master.gain.cancelScheduledValues(this.context.currentTime);
    this.master.gain.setValueAtTime(1, this.context.currentTime);
    if (dip) this.#dip(frame);
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
        this.#dip(frame);
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
    const node = new AudioBufferSourceNode(this.context, { buffer: this.#joined(parts, end - sample) });
    const last = frame + end - sample;
    node.connect(this.#all);
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

  /** A piece of all recordings in one buffer, which a node plays from its beginning: so it begins on the sample. */
  #joined(parts, length) {
    const { channels, sampleRate } = this;
    const joined = new AudioBuffer({ length, numberOfChannels: this.#names.length * channels, sampleRate });
    for (const { name, buffer, offset } of parts) {
      for (let c = 0; c < channels; c += 1) {
        const samples = buffer.getChannelData(Math.min(c, buffer.numberOfChannels - 1));
        joined.copyToChannel(samples.subarray(offset, offset + length), c + channels * this.#names.indexOf(name));
      }
    }
    return joined;
  }
}
