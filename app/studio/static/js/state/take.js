// @ts-check
// The take that is being recorded; the page records one at a time.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { Take } from '../sound/recorder.js';

const LOOK_MILLISECONDS = 100;

/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<Take | null>} */
export const take = signal(null);
export const seconds = signal(0);
/** How loud it is, 0..1. */
export const level = signal(0);
/** Why the browser gave no microphone, in its own words. */
export const denied = signal('');
/** What becomes of the take when the user goes to another view. */
let left = discard;

/** @param {() => void} [leave] what becomes of the take when the user goes to another view; else it is thrown away */
export async function begin(leave = discard) {
  denied.value = '';
  left = leave;
  try {
    take.value = await Take.begin();
  } catch (wrong) {
    denied.value = String(/** @type {Error} */ (wrong).message);
    return;
  }
  look();
  const timer = setInterval(() => (take.value ? look() : clearInterval(timer)), LOOK_MILLISECONDS);
}

function look() {
  seconds.value = take.value?.seconds ?? 0;
  level.value = take.value?.level ?? 0;
}

/** @param {string} name of the file, without its ending @returns {Promise<File>} */
export async function end(name) {
  const ended = /** @type {Take} */ (take.value);
  take.value = null;
  return ended.end(name);
}

/** Throws the take away. */
export function discard() {
  take.value?.close();
  take.value = null;
}

/** The user goes to another view. */
export function leaveTake() {
  if (take.value) left();
}
