// @ts-check
// The microphone as a stream of pieces: mono, 24 kHz, 16 bit, a tenth of a second each.

export const LIVE_RATE = 24_000;

export class Microphone {
  /** @param {MediaStream} stream */
  constructor(stream) {
    this.stream = stream;
    /** @type {AudioContext | null} */
    this.context = null;
  }

  /** @param {(piece: Int16Array) => void} got @param {() => void} lost the microphone was unplugged or taken away @returns {Promise<Microphone>} */
  static async open(got, lost) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const microphone = new Microphone(stream);
    for (const track of stream.getTracks()) track.onended = lost;
    try {
      const context = new AudioContext({ sampleRate: LIVE_RATE });
      microphone.context = context;
      await context.audioWorklet.addModule(new URL('./pieces-worklet.js', import.meta.url));
      const pieces = new AudioWorkletNode(context, 'pieces', {
        numberOfOutputs: 0,
        channelCount: 1,
        channelCountMode: 'explicit',
      });
      pieces.port.onmessage = (event) => got(new Int16Array(event.data));
      context.createMediaStreamSource(stream).connect(pieces);
      await context.resume();
    } catch (wrong) {
      microphone.close();
      throw wrong;
    }
    return microphone;
  }

  /** Gives the microphone back. */
  close() {
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context && this.context.state !== 'closed') void this.context.close();
  }
}

/** Samples as the API takes them. @param {Int16Array} piece @returns {string} base64 */
export function encoded(piece) {
  const bytes = new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

/** How loud a piece is, 0..1: the decibels from -60 to 0 of its loudest sample. @param {Int16Array} piece */
export function loudness(piece) {
  const loudest = piece.reduce((top, value) => Math.max(top, Math.abs(value)), 33);
  return Math.min(1, Math.max(0, 1 + Math.log10(loudest / 32_768) / 3));
}
