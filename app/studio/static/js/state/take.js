// @ts-check
// The take that is being recorded; the page records one at a time.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { Take } from '../sound/recorder.js';

const LOOK_MILLISECONDS = 100;

/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<Take | null>} */
export const take = signal(null);
/** Whether the browser has been asked for a microphone, and has not answered. */
export const starting = signal(false);
export const seconds = signal(0);
/** Whether the microphone has ended the take by itself. */
export const lost = signal(false);
/** How loud it is, 0..1. */
export const level = signal(0);
/** Why the browser gave no microphone, in its own words. */
export const denied = signal('');
/** What becomes of the take when the user goes to another view. */
let left = discard;
/** Counts what the user began and gave up, so that a microphone that comes too late is given back. */
let wishes = 0;

/** @param {() => void} [leave] what becomes of the take when the user goes to another view; else it is thrown away */
export async function begin(leave = discard) {
  if (starting.value || take.value) return;
  denied.value = '';
  left = leave;
  starting.value = true;
  wishes += 1;
  const mine = wishes;
  try {
    const opened = await Take.begin();
    if (mine !== wishes) return opened.close();
    take.value = opened;
  } catch (wrong) {
    if (mine === wishes) denied.value = String(/** @type {Error} */ (wrong).message);
  } finally {
    if (mine === wishes) starting.value = false;
  }
  if (take.value) watch();
}

function watch() {
  look();
  const timer = setInterval(() => (take.value ? look() : clearInterval(timer)), LOOK_MILLISECONDS);
}

function look() {
  lost.value = take.value?.isOver ?? false;
  if (lost.value) return;
  seconds.value = take.value?.seconds ?? 0;
  level.value = take.value?.level ?? 0;
}

/** @param {string} name of the file, without its ending @returns {Promise<File>} */
export async function end(name) {
  const ended = /** @type {Take} */ (take.value);
  take.value = null;
  return ended.end(name);
}

/** Throws the take away, also one whose microphone has not come yet. */
export function discard() {
  wishes += 1;
  starting.value = false;
  take.value?.close();
  take.value = null;
}

/** The user goes to another view. */
export function leaveTake() {
  if (starting.value) discard();
  else if (take.value) left();
}
