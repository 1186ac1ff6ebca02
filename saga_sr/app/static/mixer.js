// What is heard of several recordings at once: a matter of gains.

const CROSSFADE_S = 0.01;
const DIP_S = 0.004;
// What is listened to as a place on a line, and how much of each recording is heard at its beginning, middle and end.
export const COMPARISON = {
  positions: { input: -1, result: 0, added: 1 },
  shares: { input: [1, 0, -1], result: [0, 1, 1] },
};
export const BLIND_TEST = {
  positions: { a: -1, x: 0, b: 1 },
  shares: { a: [1, 0, 0], x: [0, 1, 0], b: [0, 0, 1] },
};

export class Mixer {
  #names;
  #all;
  #master;
  #listen;
  #levels;

  /**
   * @param {AudioContext} context
   * @param {typeof COMPARISON} faded what can be listened to of which recordings
   * @param {number} channels of each recording
   * @param {string} listen what is listened to at first
   */
  constructor(context, faded, channels, listen) {
    Object.assign(this, { context, faded, channels });
    this.#names = Object.keys(faded.shares);
    this.#master = new GainNode(context);
    this.#master.connect(context.destination);
    // All come in the channels of one node, first the first's: nothing can part them.
    this.#all = new ChannelSplitterNode(context, { numberOfOutputs: this.#names.length * channels });
    this.#listen = new ConstantSourceNode(context, { offset: faded.positions[listen] });
    const fader = this.#fader();
    this.#levels = this.#names.map((name, i) => {
      const joined = new ChannelMergerNode(context, { numberOfInputs: channels });
      for (let c = 0; c < channels; c += 1) this.#all.connect(joined, i * channels + c, c);
      const heard = new GainNode(context, { gain: 0 });
      fader.connect(new WaveShaperNode(context, { curve: faded.shares[name] })).connect(heard.gain);
      const level = new GainNode(context);
      joined.connect(level).connect(heard).connect(this.#master);
      return level.gain;
    });
  }

  /**
   * What is listened to is one number, of which all gains are made in the audio's own thread: however late a busy page
   * says it, they move in the same samples, and the sum of what is alike in both stays as it is.
   */
  #fader() {
    const { sampleRate } = this.context;
    const length = Math.round(CROSSFADE_S * sampleRate);
    const mean = new AudioBuffer({ length, sampleRate });
    mean.getChannelData(0).fill(1 / length);
    // The mean of the last samples makes a straight line of a step.
    const line = new ConvolverNode(this.context, { buffer: mean, disableNormalization: true });
    this.#listen.connect(line);
    this.#listen.start();
    return line;
  }

  set listen(listen) {
    this.#listen.offset.value = this.faded.positions[listen];
  }

  /** By how much the second has to be turned up to match the first: neither is, so that nothing is clipped. */
  set gainDb(gainDb) {
    const levels = [-gainDb, gainDb].map((db) => Math.min(1, 10 ** (db / 20)));
    this.#levels.forEach((gain, i) => gain.setTargetAtTime(levels[i] ?? 1, this.context.currentTime, CROSSFADE_S / 4));
  }

  /** Be silent for an instant at a jump, which would click. */
  dip(frame) {
    const at = frame / this.context.sampleRate;
    this.#master.gain.setValueAtTime(1, at - DIP_S);
    this.#master.gain.linearRampToValueAtTime(0, at);
    this.#master.gain.linearRampToValueAtTime(1, at + DIP_S);
  }

  /** Take back the dips that are to come. */
  undip() {
    this.#master.gain.cancelScheduledValues(this.context.currentTime);
    this.#master.gain.setValueAtTime(1, this.context.currentTime);
  }

  /**
   * A node that plays a piece of all recordings: in one buffer, from its beginning, so that it begins on the sample.
   *
   * @param {{name: string, buffer: AudioBuffer, offset: number}[]} parts where the piece begins in each
   * @param {number} length samples
   */
  piece(parts, length) {
    const { channels, context } = this;
    const buffer = new AudioBuffer({
      length,
      numberOfChannels: this.#names.length * channels,
      sampleRate: context.sampleRate,
    });
    for (const { name, buffer: from, offset } of parts) {
      for (let c = 0; c < channels; c += 1) {
        const samples = from.getChannelData(Math.min(c, from.numberOfChannels - 1));
        buffer.copyToChannel(samples.subarray(offset, offset + length), c + channels * this.#names.indexOf(name));
      }
    }
    const node = new AudioBufferSourceNode(context, { buffer });
    node.connect(this.#all);
    return node;
  }
}
