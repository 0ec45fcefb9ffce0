// @ts-check
// On the audio thread: samples of the microphone -> pieces of 16-bit samples for the page.

/** The globals of the audio thread, which TypeScript does not know here. @type {any} */
const thread = globalThis;
const PIECE_SAMPLES = 2400;

class Pieces extends thread.AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Int16Array(PIECE_SAMPLES);
    this.filled = 0;
  }

  /** @param {Float32Array[][]} inputs @returns {boolean} */
  process(inputs) {
    for (const sample of inputs[0]?.[0] ?? []) {
      this.piece[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32_767;
      if (this.filled === PIECE_SAMPLES) this.give();
    }
    return true;
  }

  give() {
    this.port.postMessage(this.piece.buffer, [this.piece.buffer]);
    this.piece = new Int16Array(PIECE_SAMPLES);
    this.filled = 0;
  }
}

thread.registerProcessor('pieces', Pieces);
