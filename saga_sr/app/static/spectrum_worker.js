// Spectra, computed beside the page.

export const SIZE = 2048;
export const ROWS = 512;
// A byte is half a decibel above this; 0 dB is a sine at full scale.
export const LOWEST_DB = -127.5;

const window_ = Float64Array.from({ length: SIZE }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));
const scale = 1 / (window_.reduce((sum, value) => sum + value, 0) / 2) ** 2;
const cosines = Float64Array.from({ length: SIZE / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
const sines = Float64Array.from({ length: SIZE / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / SIZE));
const reversed = Uint16Array.from({ length: SIZE }, (_, i) => {
  let turned = 0;
  for (let bit = 1; bit < SIZE; bit <<= 1) turned = (turned << 1) | (i & bit ? 1 : 0);
  return turned;
});

const re = new Float64Array(SIZE);
const im = new Float64Array(SIZE);

/** The discrete Fourier transform of re + i·im, put in by reversed bits, in place (radix 2, decimation in time). */
function transform() {
  for (let half = 1; half < SIZE; half <<= 1) {
    const step = SIZE / (2 * half);
    for (let first = 0; first < SIZE; first += 2 * half) {
      for (let k = 0; k < half; k += 1) {
        const a = first + k;
        const b = a + half;
        const c = cosines[k * step];
        const s = sines[k * step];
        const real = re[b] * c + im[b] * s;
        const imag = im[b] * c - re[b] * s;
        re[b] = re[a] - real;
        im[b] = im[a] - imag;
        re[a] += real;
        im[a] += imag;
      }
    }
  }
}

/** Add the power spectra of frame `index` of all channels to `power`, two channels in each transform. */
function addPower(channels, index, power) {
  for (let c = 0; c < channels.length; c += 2) {
    const first = channels[c];
    const second = channels[c + 1];
    for (let i = 0, at = index * SIZE; i < SIZE; i += 1, at += 1) {
      re[reversed[i]] = first[at] * window_[i];
      im[reversed[i]] = second ? second[at] * window_[i] : 0;
    }
    transform();
    // |A|² + |B|² of the two real signals A and B of which A + iB was transformed.
    for (let k = 0; k <= SIZE / 2; k += 1) {
      const mirror = (SIZE - k) % SIZE;
      power[k] += (re[k] ** 2 + im[k] ** 2 + re[mirror] ** 2 + im[mirror] ** 2) / 2;
    }
  }
}

/**
 * Columns of a spectrogram, [column, row] in half decibels; a row has the loudest of its bins.
 *
 * @param {Float32Array[]} channels frames one after the other, of each channel
 * @param {number} frames of each column, whose powers are averaged
 */
export function columns(channels, frames) {
  const count = channels[0].length / SIZE / frames;
  const made = new Uint8Array(count * ROWS);
  const power = new Float64Array(SIZE / 2 + 1);
  const bins = SIZE / 2 / ROWS;
  for (let column = 0; column < count; column += 1) {
    power.fill(0);
    for (let frame = 0; frame < frames; frame += 1) addPower(channels, column * frames + frame, power);
    for (let row = 0; row < ROWS; row += 1) {
      let loudest = 1e-30;
      for (let k = row * bins; k < (row + 1) * bins; k += 1) loudest = Math.max(loudest, power[k]);
      const db = 10 * Math.log10((loudest * scale) / (frames * channels.length));
      made[column * ROWS + row] = Math.max(0, Math.min(255, Math.round((db - LOWEST_DB) * 2)));
    }
  }
  return made;
}

/** Mean power in bins [first, end) of frames of one or more channels. */
export function bandPower(channels, first, end) {
  const power = new Float64Array(SIZE / 2 + 1);
  const count = channels[0].length / SIZE;
  for (let frame = 0; frame < count; frame += 1) addPower(channels, frame, power);
  return (power.subarray(first, end).reduce((sum, value) => sum + value, 0) * scale) / (count * channels.length);
}

if (typeof WorkerGlobalScope !== "undefined") {
  self.onmessage = ({ data }) => {
    const { job, kind, channels, frames, first, end } = data;
    const answer = kind === "columns" ? columns(channels, frames) : bandPower(channels, first, end);
    self.postMessage({ job, answer }, kind === "columns" ? [answer.buffer] : []);
  };
}
