// Spectrograms of what is visible, made tile by tile in a worker and kept.

import { LOWEST_DB, ROWS, SIZE } from "./spectrum_worker.js";

// Columns of level 0 are so many samples wide; those of each level twice as wide as those of the one before.
const FINEST = 256;
const LEVELS = 14;
// A tile has so many columns, or fewer that last about so long.
const TILE_COLUMNS = 64;
const TILE_S = 5;
// From this level on, columns are the server's, where it makes them: less is fetched than what they are made of.
const SERVED = 6;
const SERVED_TILE_S = 60;
const MOST_FRAMES = 4;
// Tiles that are kept, loads and computations at a time.
const KEPT_BYTES = 96e6;
const AT_ONCE = 2;

export class Spectra extends EventTarget {
  #worker = new Worker(new URL("./spectrum_worker.js", import.meta.url), { type: "module" });
  #jobs = new Map();
  #count = 0;
  #tiles = new Map(); // the one used longest ago first
  #bytes = 0;
  #wanted = [];
  #pending = new Set();
  loudestDb = -Infinity; // of all tiles made

  constructor(sampleRate) {
    super();
    this.sampleRate = sampleRate;
    this.#worker.onmessage = ({ data }) => {
      this.#jobs.get(data.job)(data.answer);
      this.#jobs.delete(data.job);
    };
  }

  close() {
    this.#worker.terminate();
    this.#wanted = [];
  }

  /** Forget what was made of a source. */
  forget(name) {
    for (const [key, tile] of this.#tiles) {
      if (!key.startsWith(`${name} `)) continue;
      this.#tiles.delete(key);
      this.#bytes -= tile.length;
    }
  }

  /** The level at which a column is about as wide as `seconds`. */
  level(seconds) {
    return Math.min(Math.max(Math.round(Math.log2((seconds * this.sampleRate) / FINEST)), 0), LEVELS);
  }

  /**
   * A function from seconds to a column [row] of a source, or null where it is not made yet; then a coarser one serves.
   *
   * @param {string} name of the source
   * @param {number | "all"} channel
   */
  reader(name, channel, level) {
    const levels = [];
    for (let at = level; at <= LEVELS; at += 1) {
      levels.push({ at, width: this.#tileColumns(at), index: -1, tile: undefined });
    }
    return (seconds) => {
      for (const found of levels) {
        const column = Math.floor((seconds * this.sampleRate) / hop(found.at));
        const index = Math.floor(column / found.width);
        // Neighbouring columns are asked for one after the other.
        if (index !== found.index) {
          Object.assign(found, { index, tile: this.#tile(keyOf(name, channel, found.at, index)) });
        }
        const first = (column % found.width) * ROWS;
        if (found.tile && first < found.tile.length) return found.tile.subarray(first, first + ROWS);
      }
      return null;
    };
  }

  /** Have the tiles between two times made, the middle first; what was wanted before no longer is. */
  want(sources, channel, level, beginS, endS) {
    const seconds = (hop(level) * this.#tileColumns(level)) / this.sampleRate;
    const middle = (beginS + endS) / 2 / seconds;
    this.#wanted = [];
    for (let index = Math.floor(beginS / seconds); index * seconds < endS; index += 1) {
      for (const [name, source] of Object.entries(sources)) {
        const key = keyOf(name, channel, level, index);
        if (source && index >= 0 && !this.#tiles.has(key)) this.#wanted.push({ key, source, channel, level, index });
      }
    }
    // Some formats can only be read on, so what is long is made from its beginning on.
    const far = level < SERVED ? ({ index: at }) => Math.abs(at + 0.5 - middle) : ({ index: at }) => at;
    this.#wanted.sort((a, b) => far(a) - far(b));
    this.#pump();
  }

  /** Mean power of a stretch of a source between two frequencies, 0 dB being a sine at full scale. */
  async bandPower(source, begin, length, lowHz, highHz) {
    const count = Math.max(1, Math.min(128, Math.floor(length / SIZE)));
    const starts = Array.from({ length: count }, (_, i) => Math.round(begin + (i * (length - SIZE)) / count));
    const channels = this.#frames(source, "all", starts);
    const [first, end] = [lowHz, highHz].map((hz) => Math.round((hz / this.sampleRate) * SIZE));
    return this.#ask({ kind: "power", channels, first, end: Math.max(end, first + 1) });
  }

  #tileColumns(level) {
    const seconds = level < SERVED ? TILE_S : SERVED_TILE_S;
    return Math.max(1, Math.min(TILE_COLUMNS, Math.floor((seconds * this.sampleRate) / hop(level))));
  }

  #tile(key) {
    const tile = this.#tiles.get(key);
    if (tile) {
      this.#tiles.delete(key);
      this.#tiles.set(key, tile);
    }
    return tile;
  }

  #pump() {
    while (this.#pending.size < AT_ONCE) {
      const place = this.#wanted.findIndex(({ key }) => !this.#pending.has(key));
      if (place < 0) return;
      const [tile] = this.#wanted.splice(place, 1);
      this.#pending.add(tile.key);
      this.#make(tile).finally(() => {
        this.#pending.delete(tile.key);
        this.#wanted = this.#wanted.filter(({ key }) => key !== tile.key); // it was asked for again meanwhile
        this.#pump();
      });
    }
  }

  async #make({ key, source, channel, level, index }) {
    const first = index * this.#tileColumns(level);
    const end = Math.min(first + this.#tileColumns(level), Math.ceil(source.samples / hop(level)));
    if (end <= first) return;
    const tile = level >= SERVED && source.columnsUrl
      ? await this.#served(source, channel, level, first, end)
      : await this.#computed(source, channel, level, first, end);
    if (!tile) return;
    this.loudestDb = tile.reduce((most, byte) => Math.max(most, byte / 2 + LOWEST_DB), this.loudestDb);
    this.#tiles.set(key, tile);
    this.#bytes += tile.length;
    while (this.#bytes > KEPT_BYTES) {
      const [oldest, { length }] = this.#tiles.entries().next().value;
      this.#tiles.delete(oldest);
      this.#bytes -= length;
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Columns that the server makes; null as long as they cannot be had. */
  async #served(source, channel, level, first, end) {
    const last = Math.min(end * hop(level), source.samples);
    if (last > source.readyS * this.sampleRate + 1) return null;
    return source.columns(channel, level, first, end);
  }

  /** Columns of sound that is loaded for it; null as long as that cannot be had. */
  async #computed(source, channel, level, first, end) {
    const width = hop(level);
    const frames = Math.min(Math.max(Math.floor((width * 2) / SIZE), 1), MOST_FRAMES);
    const starts = [];
    for (let column = first; column < end; column += 1) {
      for (let frame = 0; frame < frames; frame += 1) {
        starts.push(Math.round((column + (frame + 0.5) / frames) * width - SIZE / 2));
      }
    }
    if (!(await this.#loaded(source, starts))) return null;
    return this.#ask({ kind: "columns", channels: this.#frames(source, channel, starts), frames });
  }

  /** Whether all segments that frames lie in are held, after loading what is not. */
  async #loaded(source, starts) {
    for (const start of starts) if (!(await source.hold(start, SIZE))) return false;
    return true;
  }

  /** Frames one after the other, of a channel or of all. */
  #frames(source, channel, starts) {
    const chosen = channel === "all" ? Array.from({ length: source.channels }, (_, i) => i) : [channel];
    return chosen.map((c) => {
      const frames = new Float32Array(starts.length * SIZE);
      starts.forEach((start, i) => source.read(c, start, frames.subarray(i * SIZE, (i + 1) * SIZE)));
      return frames;
    });
  }

  #ask(message) {
    const job = (this.#count += 1);
    this.#worker.postMessage({ job, ...message }, message.channels.map((samples) => samples.buffer));
    return new Promise((resolve) => this.#jobs.set(job, resolve));
  }
}

function hop(level) {
  return FINEST * 2 ** level;
}

function keyOf(name, channel, level, index) {
  return `${name} ${channel} ${level} ${index}`;
}
