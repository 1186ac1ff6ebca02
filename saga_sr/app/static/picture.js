// A spectrogram, or the difference of two, on a canvas with its frequencies beside it.

import { DIFFERENCE, DIFFERENCE_DB, LEVEL, RANGE_DB } from "./colours.js";
import { element } from "./element.js";
import { LOWEST_DB, ROWS } from "./spectrum_worker.js";

export class Picture {
  /**
   * @param {string} name of what it shows: `input`, `result` or `difference`
   * @param {string} title
   */
  constructor(name, title) {
    this.name = name;
    this.canvas = element("canvas", { role: "img" });
    this.title = element("span", { class: "title" }, title);
    this.plot = element("div", { class: `plot ${name}` }, this.canvas, this.title);
    this.axis = element("div", { class: `frequencies ${name}`, "aria-hidden": "true" });
  }

  /** Label the frequencies up to `nyquistHz`. */
  label(nyquistHz, description) {
    this.canvas.setAttribute("aria-label", description);
    const stepHz = [1000, 2000, 5000, 10_000, 20_000].find((hz) => nyquistHz / hz <= 5.5) ?? 50_000;
    const ticks = [];
    for (let hz = 0; hz < nyquistHz; hz += stepHz) {
      ticks.push(element("span", { style: `bottom: ${(100 * hz) / nyquistHz}%` }, String(hz / 1000)));
    }
    this.axis.replaceChildren(...ticks);
  }

  /** Width in device pixels, which a picture has a column for each. */
  get width() {
    return Math.max(1, Math.round(this.canvas.clientWidth * Math.min(devicePixelRatio, 2)));
  }

  /**
   * Draw levels.
   *
   * @param {(seconds: number) => Uint8Array | null} column
   * @param {number} topDb level of the brightest colour
   */
  drawLevels(view, column, topDb) {
    const colours = new Uint32Array(256);
    for (let byte = 0; byte < 256; byte += 1) {
      const share = (byte / 2 + LOWEST_DB - topDb) / RANGE_DB + 1;
      colours[byte] = LEVEL[Math.round(255 * Math.min(Math.max(share, 0), 1))];
    }
    this.#draw(view, (seconds, put) => {
      const levels = column(seconds);
      if (levels) for (let row = 0; row < ROWS; row += 1) put(row, colours[levels[row]]);
    });
  }

  /** Draw by how many dB `after`, turned up by `gainDb`, lies above `before`; what is below the range counts as its bottom. */
  drawDifference(view, before, after, gainDb, topDb) {
    const bottom = topDb - RANGE_DB;
    const db = Float32Array.from({ length: 256 }, (_, byte) => byte / 2 + LOWEST_DB);
    this.#draw(view, (seconds, put) => {
      const [was, is] = [before(seconds), after(seconds)];
      if (!was || !is) return;
      for (let row = 0; row < ROWS; row += 1) {
        const change = Math.max(db[is[row]] + gainDb, bottom) - Math.max(db[was[row]], bottom);
        const share = 0.5 + change / (2 * DIFFERENCE_DB);
        put(row, DIFFERENCE[Math.round(255 * Math.min(Math.max(share, 0), 1))]);
      }
    });
  }

  #draw(view, drawColumn) {
    const { width } = this;
    if (this.canvas.width !== width || this.canvas.height !== ROWS) Object.assign(this.canvas, { width, height: ROWS });
    const image = new ImageData(width, ROWS);
    const pixels = new Uint32Array(image.data.buffer);
    for (let x = 0; x < width; x += 1) {
      drawColumn(view.time((x + 0.5) / width), (row, colour) => {
        pixels[(ROWS - 1 - row) * width + x] = colour;
      });
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }
}
