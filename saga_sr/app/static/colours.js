// Colour maps: perceptually uniform, so that equal steps in dB are equal steps to the eye.

// matplotlib's magma, and Crameri's berlin for what has a sign, its dark middle made neutral, at 33 places.
const MAGMA =
  "000004 030312 0a0822 130d34 1d1147 29115a 36106b 440f76 51127c 5d177f 6a1c81 762181 832681 902a81 9c2e7f aa337d " +
  "b73779 c43c75 d0416f dc4869 e75263 ef5d5e f56b5c f9795d fc8961 fd9869 fea772 feb67c fec488 fed395 fde2a3 fcf0b2 fcfdbf";
const BERLIN =
  "9eb0ff 8caef6 79abed 65a7e2 519fd3 4194c1 3685ad 2e7699 286886 225973 1d4b61 183d4f 14303e 11242e 111a20 111619 " +
  "121214 220c02 2b0e01 351000 411201 4d1602 5b1d08 6c2711 7d341e 8e422e 9e513f ae6051 be6f63 ce7f76 df8f89 f09f9c ffadad";

// What is restored lies far below the loudest, which is at low frequencies.
export const RANGE_DB = 110;
export const DIFFERENCE_DB = 40;

export const LEVEL = colourMap(MAGMA);
export const DIFFERENCE = colourMap(BERLIN);

/** 256 colours as ImageData has them, opaque. */
function colourMap(places) {
  const anchors = places.split(" ").map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const map = new Uint32Array(256);
  const bytes = new Uint8ClampedArray(map.buffer);
  for (let i = 0; i < 256; i += 1) {
    const place = (i / 255) * (anchors.length - 1);
    const [low, share] = [Math.min(Math.floor(place), anchors.length - 2), place - Math.min(Math.floor(place), anchors.length - 2)];
    for (let c = 0; c < 3; c += 1) bytes[4 * i + c] = anchors[low][c] + share * (anchors[low + 1][c] - anchors[low][c]);
    bytes[4 * i + 3] = 255;
  }
  return map;
}

/** The map as a CSS gradient, lowest at the bottom. */
export function gradient(map) {
  const bytes = new Uint8Array(map.buffer);
  const stops = Array.from({ length: 17 }, (_, i) => Math.round((i * 255) / 16));
  return `linear-gradient(to top, ${stops.map((i) => `rgb(${bytes.slice(4 * i, 4 * i + 3).join(" ")})`).join(", ")})`;
}
