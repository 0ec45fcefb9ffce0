// @ts-check
// Plays PCM while it comes, by Web Audio: no MediaSource, no question of codecs, the same in every browser.
import { samplesOf } from './wav.js';

export const RATE = 24_000;
/** Seconds of sound that are there before the first is heard, so that it does not stutter. */
const AHEAD = 0.08;

export class PcmPlayer {
  constructor() {
    this.context = new AudioContext();
    this.until = 0;
    this.rest = new Uint8Array();
    /** @type {Uint8Array[]} everything that was played */
    this.pieces = [];
    this.stopped = false;
  }

  /** @param {Uint8Array} data any number of bytes */
  feed(data) {
    if (this.stopped) return;
    const all = new Uint8Array(this.rest.length + data.length);
    all.set(this.rest);
    all.set(data, this.rest.length);
    const whole = all.subarray(0, all.length & ~1);
    this.rest = all.slice(whole.length);
    if (!whole.length) return;
    this.pieces.push(whole.slice());
    const samples = samplesOf(whole);
    const buffer = this.context.createBuffer(1, samples.length, RATE);
    buffer.copyToChannel(samples, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    this.until = Math.max(this.until, this.context.currentTime + AHEAD);
    source.start(this.until);
    this.until += buffer.duration;
  }

  /** Seconds of sound so far. */
  get seconds() {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0) / 2 / RATE;
  }

  /** Returns when everything that was fed has been heard. */
  async finished() {
    while (!this.stopped && this.context.currentTime < this.until) await new Promise((next) => setTimeout(next, 50));
    if (!this.stopped) await this.close();
  }

  async close() {
    this.stopped = true;
    if (this.context.state !== 'closed') await this.context.close();
  }
}
