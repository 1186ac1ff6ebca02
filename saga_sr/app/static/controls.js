// The buttons above the pictures.

import { element } from "./element.js";

const ICONS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  loop: "M17 4l3 3-3 3V8H8a4 4 0 0 0-4 4H2a6 6 0 0 1 6-6h9zM7 20l-3-3 3-3v2h9a4 4 0 0 0 4-4h2a6 6 0 0 1-6 6H7z",
  zoom_in: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  zoom_out: "M5 11h14v2H5z",
  whole: "M3 12l5-5v4h8V7l5 5-5 5v-4H8v4z",
};
const SVG = "http://www.w3.org/2000/svg";

/** Buttons by name in an element; each click is an event of its name. */
export class Controls extends EventTarget {
  /** @param {string[]} channels names, as the server has them */
  constructor(words, channels) {
    super();
    this.words = words;
    this.play = this.#button("play", { "aria-keyshortcuts": "Space", class: "round" }, icon("play"));
    this.listen = Object.fromEntries(["input", "result", "added"].map((name) => [name, this.#button(name)]));
    const listen = element("div", { class: "joined", role: "group", "aria-label": words.listen });
    listen.append(...Object.values(this.listen));
    this.listenGroup = listen;
    this.clock = element("span", { class: "clock" });
    this.loop = this.#button("loop", { "aria-keyshortcuts": "L", "aria-pressed": "false" }, icon("loop"));
    this.difference = this.#button("difference", { "aria-pressed": "false" });
    this.channel = element("select", { "aria-label": words.channels }, new Option(words.all, "all"));
    channels.forEach((name, i) => this.channel.append(new Option(words[name] ?? name, i)));
    this.channel.hidden = channels.length < 2;
    this.channel.addEventListener("change", () => this.dispatchEvent(new Event("channel")));
    const zoom = element("div", { class: "joined" });
    zoom.append(...["zoom_out", "zoom_in", "whole"].map((name) => this.#button(name, {}, icon(name))));
    const shown = element("div", { class: "shown" }, this.channel, this.difference, zoom);
    this.bar = element("div", { class: "controls" }, this.play, listen, this.loop, this.clock, shown);
  }

  /** Show what can be heard, what is, and whether it plays. */
  show({ playing, listen, hasResult, isLooping }) {
    this.play.setAttribute("aria-label", this.words[playing ? "pause" : "play"]);
    this.play.title = this.words[playing ? "pause" : "play"];
    this.play.replaceChildren(icon(playing ? "pause" : "play"));
    this.listenGroup.hidden = this.difference.hidden = !hasResult;
    for (const [name, button] of Object.entries(this.listen)) button.setAttribute("aria-pressed", name === listen);
    this.loop.setAttribute("aria-pressed", isLooping);
  }

  #button(name, attributes = {}, content = this.words[name]) {
    const label = typeof content === "string" ? null : this.words[name];
    const button = element("button", { type: "button", "aria-label": label, title: label, ...attributes }, content);
    button.addEventListener("click", () => this.dispatchEvent(new Event(name)));
    return button;
  }
}

/** A picture for a button. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
