// The stretch of time that is shown: one for all pictures, so that they zoom and scroll together.

const SHORTEST_S = 0.1;

export class View extends EventTarget {
  constructor(durationS) {
    super();
    this.durationS = durationS;
    this.begin = 0;
    this.end = durationS;
  }

  get span() {
    return this.end - this.begin;
  }

  get isWhole() {
    return this.span >= this.durationS - 1e-9;
  }

  /** Where a time lies in the picture, 0 to 1 from left to right. */
  fraction(seconds) {
    return (seconds - this.begin) / this.span;
  }

  time(fraction) {
    return this.begin + fraction * this.span;
  }

  show(begin, end) {
    const span = Math.min(Math.max(end - begin, SHORTEST_S), this.durationS);
    const middle = (begin + end) / 2;
    this.begin = Math.min(Math.max(middle - span / 2, 0), this.durationS - span);
    this.end = this.begin + span;
    this.dispatchEvent(new Event("change"));
  }

  /** Show less for factors above 1, with the time `at` where it is in the picture. */
  zoomBy(factor, at = (this.begin + this.end) / 2) {
    const span = Math.min(Math.max(this.span / factor, SHORTEST_S), this.durationS);
    const begin = at - this.fraction(at) * span;
    this.show(begin, begin + span);
  }

  moveBy(seconds) {
    const begin = Math.min(Math.max(this.begin + seconds, 0), this.durationS - this.span);
    this.show(begin, begin + this.span);
  }
}
