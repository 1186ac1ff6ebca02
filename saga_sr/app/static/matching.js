// How far apart the levels of input and result are, by what both have: the band below the edges.

// Hz; the upper one serves where no edge is known.
const LOWEST_HZ = 60;
const HIGHEST_HZ = 4000;
// Of the lowest edge.
const SHARE = 0.8;
// Power below which nothing is heard that could be matched.
const SILENCE = 1e-8;

/**
 * By how many dB the result has to be turned up, from the first segment of both that holds sound; null as long as there
 * is none.
 *
 * @param {import("./spectra.js").Spectra} spectra
 * @param {{hz: number}[][]} edges by channel
 */
export async function matchingGainDb(spectra, input, result, edges) {
  const lowestHz = Math.min(...edges.flat().map(({ hz }) => hz));
  const highHz = Number.isFinite(lowestHz) ? SHARE * lowestHz : HIGHEST_HZ;
  for (let segment = 0; segment < result.ready; segment += 1) {
    const begin = result.begin(segment);
    const length = result.end(segment) - begin;
    if (!(await input.hold(begin, length)) || !(await result.hold(begin, length))) return null;
    const [before, after] = await Promise.all(
      [input, result].map((source) => spectra.bandPower(source, begin, length, LOWEST_HZ, highHz)),
    );
    if (before > SILENCE && after > SILENCE) return 10 * Math.log10(before / after);
  }
  return null;
}
