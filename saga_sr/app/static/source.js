// A recording's audio as the server gives it: a file for each segment, or one for all of it.

// Seconds of decoded audio that are held at once, of a recording that comes in segments.
const HELD_S = 120;
// After a segment could not be had it is asked for again, at the earliest after this.
const RETRY_MS = 3000;

export class Source {
  #held = new Map(); // AudioBuffers by segment, the one used longest ago first
  #loading = new Map();
  #failed = new Map();
  #closing = new AbortController();
  #decoder;

  /**
   * @param {{url: string, columns?: string, segment_s?: number, ready_s?: number}} described
   * @param {number} sampleRate Hz, at which it is heard and seen
   * @param {number} durationS
   */
  constructor(described, sampleRate, durationS) {
    this.url = described.url;
    this.columnsUrl = described.columns;
    this.sampleRate = sampleRate;
    this.durationS = durationS;
    this.samples = Math.round(durationS * sampleRate);
    this.segmentS = described.segment_s ?? durationS;
    this.count = Math.max(1, Math.ceil(durationS / this.segmentS - 1e-9));
    this.channels = 0; // until something is decoded
    this.#decoder = new OfflineAudioContext(1, 1, sampleRate);
    this.grow(described);
  }

  /** Take how far it has grown. */
  grow(described) {
    this.readyS = Math.min(described.ready_s ?? this.durationS, this.durationS);
    const whole = this.readyS >= this.durationS - 1e-6;
    this.ready = whole ? this.count : Math.floor(this.readyS / this.segmentS + 1e-9); // in segments
  }

  close() {
    this.#closing.abort();
    this.#held.clear();
  }

  begin(segment) {
    return Math.round(segment * this.segmentS * this.sampleRate);
  }

  end(segment) {
    return Math.min(this.samples, this.begin(segment + 1));
  }

  segmentAt(sample) {
    const near = Math.floor(sample / (this.segmentS * this.sampleRate));
    const found = sample >= this.begin(near + 1) ? near + 1 : sample < this.begin(near) ? near - 1 : near;
    return Math.min(Math.max(found, 0), this.count - 1);
  }

  isReady(segment) {
    return segment < this.ready;
  }

  /** A segment's AudioBuffer if it is held, else null. */
  held(segment) {
    const buffer = this.#held.get(segment);
    if (!buffer) return null;
    this.#held.delete(segment);
    this.#held.set(segment, buffer);
    return buffer;
  }

  get loads() {
    return this.#loading.size;
  }

  /** Have a segment fetched and decoded; the promise says whether it is held then. */
  load(segment) {
    if (this.#held.has(segment)) return Promise.resolve(true);
    if (!this.isReady(segment) || performance.now() < (this.#failed.get(segment) ?? 0)) return Promise.resolve(false);
    if (!this.#loading.has(segment)) {
      this.#loading.set(segment, this.#load(segment).finally(() => this.#loading.delete(segment)));
    }
    return this.#loading.get(segment);
  }

  async #load(segment) {
    try {
      const data = await this.#fetch(this.url.replaceAll("{index}", String(segment)));
      const buffer = await this.#decoder.decodeAudioData(data);
      if (this.#closing.signal.aborted) return false;
      this.channels = Math.max(this.channels, buffer.numberOfChannels);
      this.#held.set(segment, buffer);
      this.#forget();
      return true;
    } catch (error) {
      if (this.#closing.signal.aborted) return false;
      this.#failed.set(segment, performance.now() + RETRY_MS);
      this.onerror?.(error, segment);
      return false;
    }
  }

  async #fetch(url) {
    const answer = await fetch(url, { signal: this.#closing.signal });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return answer.arrayBuffer();
  }

  /** Columns [first, end) of its spectrogram as the server makes them; null where they cannot be had. */
  async columns(channel, level, first, end) {
    const url = Object.entries({ channel, level, first, end })
      .reduce((named, [name, value]) => named.replace(`{${name}}`, String(value)), this.columnsUrl);
    if (performance.now() < (this.#failed.get(url) ?? 0)) return null;
    try {
      return new Uint8Array(await this.#fetch(url));
    } catch (error) {
      this.#failed.set(url, performance.now() + RETRY_MS);
      if (!this.#closing.signal.aborted) this.onerror?.(error);
      return null;
    }
  }

  #forget() {
    const most = Math.max(3, Math.ceil(HELD_S / this.segmentS));
    while (this.#held.size > most) this.#held.delete(this.#held.keys().next().value);
  }

  /** The first segment in [begin, begin + length) that is not held, or -1. */
  missing(begin, length) {
    const last = this.segmentAt(Math.min(begin + length, this.samples) - 1);
    for (let segment = this.segmentAt(Math.max(begin, 0)); segment <= last; segment += 1) {
      if (!this.held(segment)) return segment;
    }
    return -1;
  }

  /** Have all of [begin, begin + length) held; the promise says whether it is. */
  async hold(begin, length) {
    for (let missing; (missing = this.missing(begin, length)) >= 0; ) if (!(await this.load(missing))) return false;
    return true;
  }

  /** Copy samples of a channel from `begin` on into `target`; beyond the ends, and where nothing is held, are zeros. */
  read(channel, begin, target) {
    const end = Math.min(begin + target.length, this.samples);
    for (let at = Math.max(begin, 0); at < end; ) {
      const segment = this.segmentAt(at);
      const until = Math.min(this.end(segment), end);
      const buffer = this.#held.get(segment);
      if (buffer) {
        // A mono recording sounds on both sides.
        const samples = buffer.getChannelData(Math.min(channel, buffer.numberOfChannels - 1));
        const first = at - this.begin(segment);
        target.set(samples.subarray(first, first + until - at), at - begin);
      }
      at = until;
    }
  }
}
