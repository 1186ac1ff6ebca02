// Pointers on the pictures: click to go there, drag or two fingers to scroll and zoom, the wheel as in maps.

import { drag } from "./element.js";

const STILL_PX = 4;

/**
 * @param {HTMLElement} plot
 * @param {import("./view.js").View} view
 * @param {(seconds: number) => void} seek
 */
export function listenTo(plot, view, seek) {
  const fingers = new Map();
  const share = (clientX) => {
    const box = plot.getBoundingClientRect();
    return (clientX - box.left) / box.width;
  };
  plot.addEventListener("pointerdown", (event) => {
    if (event.button || event.target.closest("[role=slider]")) return;
    fingers.set(event.pointerId, event);
    let last = event;
    let still = true;
    const move = (next) => {
      still &&= Math.abs(next.clientX - event.clientX) < STILL_PX && fingers.size === 1;
      const others = [...fingers.values()].filter(({ pointerId }) => pointerId !== next.pointerId);
      if (others.length) pinch(view, share(others[0].clientX), share(last.clientX), share(next.clientX));
      else if (!still) view.moveBy((share(last.clientX) - share(next.clientX)) * view.span);
      fingers.set(next.pointerId, next);
      last = next;
    };
    drag(plot, event, move, ({ type }) => {
      fingers.delete(event.pointerId);
      if (still && type === "pointerup") seek(view.time(share(event.clientX)));
    });
  });
  plot.addEventListener("wheel", (event) => wheel(event, view, share(event.clientX)), { passive: false });
}

function pinch(view, held, before, after) {
  const factor = Math.abs(after - held) / Math.max(Math.abs(before - held), 0.02);
  if (factor > 0.02) view.zoomBy(factor, view.time(held));
}

/** With Ctrl (so a trackpad tells a pinch) it zooms, sideways or with Shift it scrolls; else the page scrolls. */
function wheel(event, view, share) {
  const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
  if (event.ctrlKey || event.metaKey) view.zoomBy(Math.exp(-event.deltaY / 200), view.time(share));
  else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) view.moveBy((sideways / 800) * view.span);
  else return;
  event.preventDefault();
}
