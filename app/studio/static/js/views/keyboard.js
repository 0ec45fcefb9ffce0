// @ts-check
// Keys of the keyboard, only while the transcript or the player has the focus (WCAG 2.1.4).
import * as player from '../sound/player.js';
import { dialog, route } from '../state/app.js';
import { edit, undo } from '../state/library.js';
import { recording } from '../state/recordings.js';
import { reassigned } from '../transcript/edits.js';
import { speakers } from '../transcript/model.js';
import { begin, focusWord } from './transcript.js';

const SCROLLS = new Set(['PageUp', 'PageDown', 'Home', 'End']);

export function watchKeys() {
  document.addEventListener('keydown', pressed);
  for (const name of ['wheel', 'touchmove']) document.addEventListener(name, scrolled, { passive: true });
  document.addEventListener('scroll', player.scrolled, { passive: true });
}

/** The user has scrolled to another place: the view no longer scrolls with the sound. */
function scrolled() {
  if (player.playing.value) player.following.value = false;
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const one = recording(route.value.id);
  const target = /** @type {HTMLElement} */ (event.target);
  if (!one || target.closest('input:not([type=range]), textarea, dialog')) return;
  const modified = event.ctrlKey || event.metaKey;
  // With caps lock, letters are capitals.
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (modified && key === 'z' && !event.shiftKey) return act(event, () => undo(one));
  if (target.closest('select')) return;
  if (SCROLLS.has(key)) return scrolled();
  if (modified || event.altKey || !(target.id === 'main' || target.closest('.transcript, .bar'))) return;
  const turn = Number(/** @type {HTMLElement | null} */ (target.closest('[data-turn]'))?.dataset.turn ?? 0);
  const todo = spoken(key, one, turn) ?? moving(key, target) ?? plain(key, target);
  if (todo) act(event, todo);
}

/**
 * Keys that change the turn.
 * @param {string} key @param {import('../state/recordings.js').Recording} one @param {number} turn
 * @returns {(() => void) | undefined}
 */
function spoken(key, one, turn) {
  if (!turn) return undefined;
  if (key === 'e') return () => begin(one, turn);
  const speaker = /^[1-9]$/.test(key) ? speakers(one.transcript.value)[Number(key) - 1] : undefined;
  return speaker ? () => edit(one, reassigned(one.transcript.value, turn, speaker)) : undefined;
}

/**
 * Keys that go from word to word.
 * @param {string} key @param {HTMLElement} target
 * @returns {(() => void) | undefined}
 */
function moving(key, target) {
  if (target.dataset.at === undefined) return undefined;
  const at = Number(target.dataset.at);
  if (key === 'Enter') return () => player.seek(at, true);
  const forth = getComputedStyle(target).direction === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
  if (key === 'ArrowLeft' || key === 'ArrowRight') return () => move(wordBeside(target, key === forth));
  if (key === 'ArrowUp' || key === 'ArrowDown') return () => move(firstWord(target, key === 'ArrowDown'));
  return undefined;
}

/** @param {Element | null | undefined} word */
function move(word) {
  if (word instanceof HTMLElement) focusWord(word);
}

/** @param {HTMLElement} word @param {boolean} forth */
function wordBeside(word, forth) {
  const beside = forth ? word.nextElementSibling : word.previousElementSibling;
  if (beside) return beside;
  const words = turnBeside(word, forth)?.querySelectorAll('[data-at]');
  return words?.[forth ? 0 : words.length - 1];
}

/** @param {HTMLElement} word @param {boolean} forth */
const firstWord = (word, forth) => turnBeside(word, forth)?.querySelector('[data-at]');

/** @param {HTMLElement} word @param {boolean} forth */
function turnBeside(word, forth) {
  const turn = word.closest('[data-turn]');
  return forth ? turn?.nextElementSibling : turn?.previousElementSibling;
}

/**
 * Keys of the player.
 * @param {string} key @param {HTMLElement} target
 * @returns {(() => void) | undefined}
 */
function plain(key, target) {
  /** @type {Record<string, () => void>} */
  const keys = {
    j: () => player.step(-5),
    l: () => player.step(5),
    '[': () => player.changeSpeed(-1),
    ']': () => player.changeSpeed(1),
    '?': () => {
      dialog.value = { kind: 'keys' };
    },
    Escape: () => {
      player.following.value = false;
    },
  };
  if (key === ' ') return target.closest('button, a, summary') ? undefined : player.toggle;
  return keys[key];
}

/** @param {KeyboardEvent} event @param {() => void} todo */
function act(event, todo) {
  event.preventDefault();
  todo();
}
