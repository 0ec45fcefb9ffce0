// @ts-check
// Plays PCM while it comes, by Web Audio: no MediaSource, no question of codecs, the same in every browser.
import { samplesOf } from './wav.js';

export const RATE = 24_000;
const BYTES_A_SECOND = 2 * RATE;
/** Seconds of sound that are there before the first is heard, so that it does not stutter. */
const FIRST_SECONDS = 0.08;
/** Seconds that are scheduled ahead: more than the second for which the timers of a hidden tab rest, and not hours. */
const AHEAD_SECONDS = 5;
const LOOK_MILLISECONDS = 25;

export class PcmPlayer {
  /** @param {import('./growing.js').GrowingSound} sound @param {number} [from] byte */
  constructor(sound, from = 0) {
    this.sound = sound;
    this.at = from;
    this.context = new AudioContext();
    /** When what is scheduled has been heard. */
    this.until = 0;
    this.stopped = false;
    this.heard = this.play();
  }

  /** Plays until the sound is whole and was heard, or `close`. */
  async play() {
    while (!this.stopped && !this.isOver()) {
      const hungry = this.until < this.context.currentTime + AHEAD_SECONDS;
      const piece = await this.sound.read(this.at, hungry ? BYTES_A_SECOND : 0);
      if (this.stopped) return;
      if (piece.length) this.schedule(piece);
      else await new Promise((next) => setTimeout(next, LOOK_MILLISECONDS));
    }
    await this.close();
  }

  /** @returns {boolean} */
  isOver() {
    const left = this.sound.size - this.at;
    return this.sound.whole && left < 2 && this.context.currentTime >= this.until;
  }

  /** @param {Uint8Array} piece */
  schedule(piece) {
    this.at += piece.length;
    const samples = samplesOf(piece);
    const buffer = this.context.createBuffer(1, samples.length, RATE);
    buffer.copyToChannel(samples, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    this.until = Math.max(this.until, this.context.currentTime + FIRST_SECONDS);
    source.start(this.until);
    this.until += buffer.duration;
  }

  async close() {
    this.stopped = true;
    if (this.context.state !== 'closed') await this.context.close();
  }
}

/** @param {import('./growing.js').GrowingSound} sound */
export const secondsOf = (sound) => sound.size / BYTES_A_SECOND;
