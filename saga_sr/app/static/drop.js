// <saga-drop>: where recordings are dropped, files and folders; each is uploaded and then told by the event `added`.

import { DataElement } from "./element.js";

const STYLE = `
:host { display: block }
.zone { display: grid; justify-items: center; align-content: center; gap: .35rem; min-height: 15rem; padding: 1.5rem;
  text-align: center; border: 2px dashed var(--border-color-primary); border-radius: 18px;
  background: var(--block-background-fill); color: var(--body-text-color); transition: border-color .15s, background .15s }
:host([compact]) .zone { min-height: 0; padding: .9rem 1.2rem; grid-auto-flow: column; justify-content: space-between;
  align-items: center; text-align: start }
:host([compact]) .hint, :host([compact]) svg { display: none }
.zone.over { border-color: var(--color-accent); background: var(--background-fill-secondary) }
svg { width: 3.4rem; height: 3.4rem; color: var(--color-accent) }
h2 { margin: .3rem 0 0; font-size: 1.35rem; font-weight: 650; letter-spacing: -.01em }
:host([compact]) h2 { font-size: 1rem; margin: 0 }
p { margin: 0; color: var(--body-text-color-subdued); font-size: .92rem }
.buttons { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: .7rem; justify-content: center }
:host([compact]) .buttons { margin: 0 }
button { font: inherit; font-weight: 600; padding: .55rem 1.1rem; border-radius: 999px; cursor: pointer;
  border: 1px solid var(--button-secondary-border-color); background: var(--button-secondary-background-fill);
  color: var(--button-secondary-text-color) }
button.first { background: var(--button-primary-background-fill); color: var(--button-primary-text-color);
  border-color: transparent }
:host([compact]) button.first { background: var(--button-secondary-background-fill);
  color: var(--button-secondary-text-color); border-color: var(--button-secondary-border-color) }
button:focus-visible { outline: 3px solid var(--color-accent); outline-offset: 2px }
.status { min-height: 1.3em; margin-top: .4rem } .status:empty { display: none }
@media (max-width: 560px) { :host([compact]) .zone { grid-auto-flow: row; justify-content: stretch; justify-items: center } }
`;
const ICON = `<svg viewBox="0 0 48 48" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round"
  aria-hidden="true"><path d="M6 24v3M13 17v16M20 10v28M27 15v18M34 8v32M41 20v9"/></svg>`;

class Drop extends DataElement {
  #words = {};

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).innerHTML = `<style>${STYLE}</style><div class="zone">${ICON}
      <h2></h2><p class="hint"></p><div class="buttons"><button class="first"></button><button class="folder"></button></div>
      <p class="status" role="status"></p>
      <input class="files" type="file" multiple hidden><input class="folders" type="file" webkitdirectory hidden></div>`;
    const $ = (name) => this.shadowRoot.querySelector(name);
    $(".first").onclick = () => $(".files").click();
    $(".folder").onclick = () => $(".folders").click();
    for (const input of [$(".files"), $(".folders")]) {
      input.onchange = () => {
        this.add([...input.files]);
        input.value = "";
      };
    }
    const zone = $(".zone");
    zone.ondragover = (event) => {
      event.preventDefault();
      zone.classList.add("over");
    };
    zone.ondragleave = () => zone.classList.remove("over");
    zone.ondrop = async (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
      this.add((await Promise.all(entries.map(filesIn))).flat());
    };
  }

  // {words: {...}, compact: whether recordings are there, upload: the address, mb: the most of a file}
  set data(data) {
    if (!data) return;
    this.setup = data;
    this.toggleAttribute("compact", data.compact);
    const words = (this.#words = data.words);
    const texts = { h2: words.drop, ".hint": words.drop_more, ".first": words.choose_files, ".folder": words.choose_folder };
    for (const [name, text] of Object.entries(texts)) this.shadowRoot.querySelector(name).textContent = text;
    this.shadowRoot.querySelector(".folder").hidden = !words.choose_folder;
  }

  say(text) {
    this.shadowRoot.querySelector(".status").textContent = text;
  }

  async add(files) {
    const wrong = [];
    for (const file of files.filter((file) => !file.name.startsWith("."))) {
      const named = (text) => text.replace("{name}", () => file.name);
      if (file.size > this.setup.mb * 1e6) {
        wrong.push(named(this.#words.too_large));
        continue;
      }
      try {
        const path = await this.#upload(file);
        this.dispatchEvent(new CustomEvent("added", { detail: { path, name: file.name } }));
      } catch {
        wrong.push(named(this.#words.upload_failed));
      }
    }
    this.say(wrong.join(" "));
  }

  #upload(file) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", this.setup.upload);
      request.upload.onprogress = ({ loaded, total }) =>
        this.say(`${this.#words.uploading} ${file.name} ${Math.round((100 * loaded) / Math.max(total, 1))} %`);
      request.onload = () => (request.status === 200 ? resolve(JSON.parse(request.responseText)[0]) : reject());
      request.onerror = reject;
      const form = new FormData();
      form.append("files", file);
      request.send(form);
    });
  }
}

// The files in what was dropped, a file or a folder with all that is in it.
async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found.flat();
    found.push(...(await Promise.all(some.map(filesIn))));
  }
}

customElements.define("saga-drop", Drop);
