// The pictures one above the other: input, result and their difference, with one time axis and one scale of colours.

import { DIFFERENCE, DIFFERENCE_DB, gradient, LEVEL, RANGE_DB } from "./colours.js";
import { element } from "./element.js";
import { Picture } from "./picture.js";
import { LOWEST_DB, ROWS } from "./spectrum_worker.js";

// The brightest colour is at least at this level: silence is dark.
const LOWEST_TOP_DB = -60;
const STEP_DB = 10;

export class Pictures {
  channel = "all";
  hasResult = false;
  showsDifference = false;
  #topDb = null;

  constructor(words, view, spectra, timeline, nyquistHz) {
    this.words = words;
    this.view = view;
    this.spectra = spectra;
    this.nyquistHz = nyquistHz;
    this.all = {
      input: new Picture("input", words.input),
      result: new Picture("result", words.result),
      difference: new Picture("difference", words.difference_of),
    };
    for (const [name, picture] of Object.entries(this.all)) {
      const subject = name === "difference" ? words.difference_of : `${words.spectrogram}, ${words[name]}`;
      picture.label(nyquistHz, `${subject}, 0 – ${nyquistHz / 1000} kHz`);
    }
    this.levels = element("div", { class: "scale levels", "aria-hidden": "true" });
    this.changes = scale("changes", DIFFERENCE, ticks(-DIFFERENCE_DB, DIFFERENCE_DB, 20, (db) => (db > 0 ? `+${db}` : minus(db))));
    this.line = element("div", { class: "line" });
    this.shade = element("div", { class: "shade", hidden: "" });
    this.over = element("div", { class: "over", "aria-hidden": "true" }, this.shade, this.line);
    this.grid = element(
      "div", { class: "pictures" },
      element("span", { class: "unit khz", title: words.frequency }, "kHz"), timeline.ruler,
      element("span", { class: "unit dbfs", title: words.level }, "dBFS"),
      ...Object.values(this.all).flatMap(({ axis, plot }) => [axis, plot]),
      this.levels, this.changes, this.over, timeline.track,
    );
    this.#scaleTo(LOWEST_TOP_DB);
  }

  /** Show only what there is. */
  arrange(hasResult, showsDifference) {
    Object.assign(this, { hasResult, showsDifference });
    this.grid.classList.toggle("two", hasResult);
    this.grid.classList.toggle("three", hasResult && showsDifference);
  }

  /** Mark the picture of what is heard. */
  hear(listen) {
    for (const [name, { plot }] of Object.entries(this.all)) plot.classList.toggle("heard", name === listen);
  }

  /** Put the lines of position and loop over the pictures. */
  place(seconds, loop) {
    const at = this.view.fraction(seconds);
    this.line.hidden = at < 0 || at > 1;
    this.line.style.left = `${100 * at}%`;
    this.shade.hidden = !loop;
    if (!loop) return;
    const [left, right] = [loop.begin_s, loop.end_s].map((s) => Math.min(Math.max(this.view.fraction(s), 0), 1));
    this.shade.style.left = `${100 * left}%`;
    this.shade.style.width = `${100 * (right - left)}%`;
  }

  /** Draw what is made, and have the rest made. */
  draw(sources, gainDb) {
    const { input, result, difference } = this.all;
    if (!input.canvas.clientWidth) return;
    const { view, spectra, channel } = this;
    const level = spectra.level(view.span / input.width);
    spectra.want(sources, channel, level, view.begin, view.end);
    const loudest = Math.ceil(spectra.loudestDb / STEP_DB) * STEP_DB;
    if (loudest > this.#topDb) this.#scaleTo(Math.min(loudest, 0));
    const [before, after] = ["input", "result"].map((name) => spectra.reader(name, channel, level));
    input.drawLevels(view, before, this.#topDb);
    if (this.hasResult) result.drawLevels(view, after, this.#topDb);
    if (this.hasResult && this.showsDifference) difference.drawDifference(view, before, after, gainDb, this.#topDb);
  }

  /** The level, or the change, in words at a place of a picture; null where it is not made yet. */
  levelAt(name, seconds, hz, gainDb) {
    const level = this.spectra.level(this.view.span / this.all.input.width);
    const row = Math.min(Math.max(Math.floor((hz / this.nyquistHz) * ROWS), 0), ROWS - 1);
    const [before, after] = ["input", "result"].map((source) => {
      const column = this.spectra.reader(source, this.channel, level)(seconds);
      return column && column[row] / 2 + LOWEST_DB;
    });
    const shown = { input: before, result: after }[name];
    if (name !== "difference") return shown === null ? null : `${minus(Math.round(shown))} dBFS`;
    if (before === null || after === null) return null;
    const bottom = this.#topDb - RANGE_DB;
    const change = Math.max(after + gainDb, bottom) - Math.max(before, bottom);
    return `${change > 0 ? "+" : ""}${minus(Math.round(change))} dB`;
  }

  #scaleTo(topDb) {
    this.#topDb = topDb;
    const made = scale("levels", LEVEL, ticks(topDb - RANGE_DB, topDb, 10, minus));
    this.levels.replaceChildren(...made.childNodes);
  }
}

function scale(name, map, labels) {
  const bar = element("div", { class: "colours", style: `background: ${gradient(map)}` });
  return element("div", { class: `scale ${name}`, "aria-hidden": "true" }, bar, ...labels);
}

function ticks(low, high, step, text) {
  const made = [];
  for (let db = Math.ceil(low / step) * step; db <= high; db += step) {
    made.push(element("span", { style: `bottom: ${(100 * (db - low)) / (high - low)}%` }, text(db)));
  }
  return made;
}

function minus(db) {
  return String(db).replace("-", "−");
}
