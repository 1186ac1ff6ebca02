// <saga-command heading= copy= copied=>: a command line to be copied; its `data` is the text.

import { DataElement } from "./element.js";

const STYLE = `
:host { display: block; color: var(--body-text-color) }
.box { display: grid; grid-template-columns: 1fr auto; gap: .4rem .8rem; align-items: center; padding: .6rem .8rem;
  border: 1px solid var(--border-color-primary); border-radius: 8px; background: var(--block-background-fill) }
label { color: var(--block-label-text-color); font-size: .9rem }
textarea { grid-column: 1 / -1; box-sizing: border-box; width: 100%; resize: none; field-sizing: content; padding: .5rem .6rem;
  border: 0; border-radius: 6px; background: var(--input-background-fill); color: inherit;
  font: .85rem var(--font-mono); overflow-wrap: anywhere }
button { font: inherit; font-size: .85rem; padding: .25rem .7rem; border-radius: 8px; cursor: pointer; color: inherit;
  border: 1px solid var(--border-color-primary); background: none }
:focus-visible { outline: 3px solid var(--color-accent); outline-offset: 2px }
`;

class Command extends DataElement {
  constructor() {
    super();
    this.attachShadow({ mode: "open" }).innerHTML = `<style>${STYLE}</style><div class="box"><label for="text"></label>
      <button type="button" aria-live="polite"></button><textarea id="text" readonly></textarea></div>`;
    this.button.onclick = () => this.#copy();
  }

  connectedCallback() {
    this.shadowRoot.querySelector("label").textContent = this.getAttribute("heading");
    this.button.textContent = this.getAttribute("copy");
    super.connectedCallback();
  }

  get button() {
    return this.shadowRoot.querySelector("button");
  }

  set data(text) {
    const area = this.shadowRoot.querySelector("textarea");
    if (area.value === text) return;
    area.value = text ?? "";
    area.rows = area.value.split("\n").length;
    this.button.textContent = this.getAttribute("copy");
  }

  #copy() {
    this.shadowRoot.querySelector("textarea").select();
    document.execCommand("copy"); // also where the page is not from this machine, which the clipboard's API is not for
    this.button.textContent = this.getAttribute("copied");
  }
}

customElements.define("saga-command", Command);
