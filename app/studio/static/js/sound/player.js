// @ts-check
// One <audio> element for the open recording. The current word is marked by moving a CSS class; nothing is rendered for it.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { wordAt } from '../transcript/follow.js';

/** @typedef {import('../transcript/model.js').Word} Word */

const still = matchMedia('(prefers-reduced-motion: reduce)');
const audio = new Audio();
audio.preload = 'metadata';
let address = '';
/** @type {File | null} */
let loaded = null;
/** @type {{words: readonly Word[], elements: readonly Element[]}} */
let followed = { words: [], elements: [] };
/** @type {Element | null} */
let marked = null;
/** The least distance of the marked word from the middle of the window since it was marked. */
let nearest = 0;
/** Until then the view scrolls to a word far away. On such a way, turns get their true heights, which moves the word. */
let travelling = 0;
/** A line of text: a word that goes further away was scrolled away by the user. */
const SLACK = 24;
const TRAVEL_MILLISECONDS = 1500;

export const playing = signal(false);
/** Whole tenths of a second, so that the bar is not rendered at every frame. */
export const at = signal(0);
export const length = signal(0);
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
export const speed = signal(1);
/** Whether the browser cannot play the file. */
export const silent = signal(false);
/** Whether the view scrolls with the sound. */
export const following = signal(true);

audio.addEventListener('play', () => {
  playing.value = true;
  requestAnimationFrame(tick);
});
audio.addEventListener('pause', () => (playing.value = false));
audio.addEventListener('durationchange', () => (length.value = Number.isFinite(audio.duration) ? audio.duration : 0));
audio.addEventListener('error', () => (silent.value = address !== ''));
audio.addEventListener('seeked', () => mark());

/** The second from which the user wants to hear a recording whose file is not here; -1: none. */
export const missing = signal(-1);

/** @param {File | null} file */
export function open(file) {
  if (file === loaded) return;
  loaded = file;
  audio.pause();
  if (address) URL.revokeObjectURL(address);
  address = file ? URL.createObjectURL(file) : '';
  silent.value = false;
  at.value = 0;
  length.value = 0;
  if (address) audio.src = address;
  else audio.removeAttribute('src');
}

/** @param {readonly Word[]} words @param {readonly Element[]} elements one for each word */
export function follow(words, elements) {
  followed = { words, elements };
  mark();
}

export function toggle() {
  if (!loaded) missing.value = at.value;
  else if (audio.paused) void audio.play().catch(() => undefined);
  else audio.pause();
}

export const pause = () => audio.pause();

/** Another recording is opened, or another view. */
export function leave() {
  audio.pause();
  missing.value = -1;
  if (!loaded) at.value = 0;
}

/** @param {number} seconds @param {boolean} [play] */
export function seek(seconds, play = false) {
  if (!loaded) {
    at.value = seconds;
    if (play) missing.value = seconds;
    return;
  }
  audio.currentTime = Math.max(0, Math.min(seconds, length.value || seconds));
  at.value = audio.currentTime;
  following.value = true;
  if (play) void audio.play().catch(() => undefined);
}

/** @param {number} seconds */
export const step = (seconds) => seek(audio.currentTime + seconds);

/** @param {number} value */
export function setSpeed(value) {
  speed.value = value;
  // The default counts too: opening another file sets the rate back to it.
  audio.defaultPlaybackRate = audio.playbackRate = value;
}

/** The next speed of the list, if there is one. @param {1 | -1} way */
export const changeSpeed = (way) => setSpeed(SPEEDS[SPEEDS.indexOf(speed.value) + way] ?? speed.value);

function tick() {
  mark();
  if (!audio.paused) requestAnimationFrame(tick);
}

function mark() {
  const tenth = Math.round(audio.currentTime * 10) / 10;
  if (tenth !== at.value) at.value = tenth;
  // Before anything was heard no word is marked.
  const begun = audio.currentTime > 0 || !audio.paused;
  const element = (begun && followed.elements[wordAt(followed.words, audio.currentTime)]) || null;
  if (element === marked) return;
  marked?.classList.remove('heard');
  element?.classList.add('heard');
  marked = element;
  if (!element) return;
  nearest = away(element);
  if (following.value && !audio.paused) scrollTo(element);
}

/** How far an element is from the middle of the window. @param {Element} element */
function away(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return Math.abs((top + bottom - innerHeight) / 2);
}

/** The document was scrolled, by `scrollTo` or by the user, who may use the scrollbar: then the view no longer scrolls with the sound. */
export function scrolled() {
  if (!marked?.isConnected || audio.paused || performance.now() < travelling) return;
  const now = away(marked);
  nearest = Math.min(nearest, now);
  if (now > nearest + SLACK) following.value = false;
}

/** Back to the word that is heard. */
export function back() {
  following.value = true;
  if (marked?.isConnected) scrollTo(marked);
}

/** @param {Element} element */
function scrollTo(element) {
  nearest = away(element);
  if (nearest > innerHeight) travelling = performance.now() + TRAVEL_MILLISECONDS;
  // Where the user wants no motion, the text jumps, and only when the word is out of sight.
  if (still.matches) element.scrollIntoView({ block: 'nearest', behavior: 'instant' });
  else element.scrollIntoView({ block: 'center', behavior: 'smooth' });
}
