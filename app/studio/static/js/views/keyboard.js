// @ts-check
// Keys of the keyboard, only while the transcript or the player has the focus (WCAG 2.1.4).
import * as player from '../sound/player.js';
import { route } from '../state/app.js';
import { edit, recording, undo } from '../state/library.js';
import { reassigned } from '../transcript/edits.js';
import { speakers } from '../transcript/model.js';
import { dialog } from './dialogs.js';
import { editing } from './transcript.js';

export function watchKeys() {
  document.addEventListener('keydown', pressed);
  for (const name of ['wheel', 'touchmove']) {
    document.addEventListener(name, () => (player.following.value = false), { passive: true });
  }
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const one = recording(route.value.id);
  const target = /** @type {HTMLElement} */ (event.target);
  if (!one || target.closest('input:not([type=range]), select, textarea, dialog')) return;
  const modified = event.ctrlKey || event.metaKey;
  if (modified && event.key === 'z') return act(event, () => undo(one));
  if (modified || event.altKey || !target.closest('.transcript, .bar, #main')) return;
  const turn = Number(/** @type {HTMLElement | null} */ (target.closest('[data-turn]'))?.dataset.turn ?? 0);
  const digit = Number(event.key);
  if (digit >= 1 && turn) {
    const speaker = speakers(one.transcript.value)[digit - 1];
    if (speaker) act(event, () => edit(one, reassigned(one.transcript.value, turn, speaker)));
    return;
  }
  /** @type {Record<string, () => void>} */
  const keys = {
    j: () => player.step(-5),
    l: () => player.step(5),
    '[': () => player.setSpeed(player.speed.value - 0.25),
    ']': () => player.setSpeed(player.speed.value + 0.25),
    '?': () => (dialog.value = { kind: 'keys' }),
    e: () => {
      if (turn) editing.value = turn;
    },
    Escape: () => (player.following.value = false),
  };
  if (event.key === ' ' && !target.closest('button, a, summary')) return act(event, player.toggle);
  const todo = keys[event.key];
  if (todo) act(event, todo);
}

/** @param {KeyboardEvent} event @param {() => void} todo */
function act(event, todo) {
  event.preventDefault();
  todo();
}
