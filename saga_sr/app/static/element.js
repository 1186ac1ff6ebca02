/** A new element with attributes and content; text stays text, so that names hold no markup. */
export function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...content);
  return made;
}

/** Follow a pointer from where it went down on `target` until it is lifted: `move` and `done` get its events. */
export function drag(target, event, move, done) {
  const { pointerId } = event;
  target.setPointerCapture(pointerId);
  const follow = (next) => next.pointerId === pointerId && move(next);
  const end = (next) => {
    if (next.pointerId !== pointerId) return;
    target.removeEventListener("pointermove", follow);
    target.removeEventListener("pointerup", end);
    target.removeEventListener("pointercancel", end);
    done?.(next);
  };
  target.addEventListener("pointermove", follow);
  target.addEventListener("pointerup", end);
  target.addEventListener("pointercancel", end);
}

/** An element that is given `data`, also what was set before its script was there. */
export class DataElement extends HTMLElement {
  connectedCallback() {
    if (Object.hasOwn(this, "data")) {
      const data = this.data;
      delete this.data;
      this.data = data;
    }
  }
}
