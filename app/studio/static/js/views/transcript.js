// @ts-check
// The text: one element a turn, one a word. A turn renders again only when it changes, and playback renders nothing.

import { guard } from '../../vendor/lit-html/directives/guard.js';
import { ref } from '../../vendor/lit-html/directives/ref.js';
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { clock, locale, t } from '../i18n/index.js';
import * as player from '../sound/player.js';
import { edit } from '../state/library.js';
import { joined, merged, reassigned, rewritten, split } from '../transcript/edits.js';
import { nameOf, speakers, startOf, textOf } from '../transcript/model.js';
import { icon } from './icons.js';
import { tint } from './people.js';

/**
 * @typedef {import('../state/library.js').Recording} Recording
 * @typedef {import('../transcript/model.js').Turn} Turn
 */

/** The turn that is a text field now; 0: none. */
export const editing = signal(0);

/** @param {Recording} one */
export function transcriptView(one) {
  const transcript = one.transcript.value;
  const all = speakers(transcript);
  player.open(one.file);
  const followed = (/** @type {Element | undefined} */ element) => {
    if (element) queueMicrotask(() => follow(element, one));
  };
  return html`<div class="transcript" ${ref(followed)} @click=${clicked}>
    ${repeat(
      transcript.turns,
      (turn) => turn.id,
      (turn, index) => {
        const first = transcript.turns[index - 1]?.speaker !== turn.speaker;
        const facts = [
          turn,
          first,
          editing.value === turn.id,
          transcript.names,
          all.join(),
          transcript.told,
          locale.value,
        ];
        return guard(facts, () => turnView(one, turn, first, all));
      },
    )}
  </div>`;
}

/** @param {Element} element @param {Recording} one */
function follow(element, one) {
  const words = one.transcript.value.turns.flatMap((turn) => (turn.id === editing.value ? [] : [...turn.words]));
  player.follow(words, [...element.querySelectorAll('[data-at]')]);
}

/** @param {MouseEvent} event */
function clicked(event) {
  const word = /** @type {Element} */ (event.target).closest('[data-at]');
  if (word instanceof HTMLElement && !getSelection()?.toString()) player.seek(Number(word.dataset.at), true);
}

/** @param {Recording} one @param {Turn} turn @param {boolean} first @param {string[]} all */
function turnView(one, turn, first, all) {
  const transcript = one.transcript.value;
  const time = clock(startOf(turn));
  const play = () => player.seek(startOf(turn), true);
  const begin = () => {
    player.pause();
    editing.value = turn.id;
  };
  return html`<article class="turn speaker-${tint(all, turn.speaker)}" data-turn=${turn.id}>
    <header class="row">
      ${turn.speaker && first ? html`<span class="badge" aria-hidden="true">${turn.speaker.slice(0, 2)}</span>` : nothing}
      <strong dir="auto">${turn.speaker ? nameOf(transcript, turn.speaker) : ''}</strong>
      <button class="plain time" aria-label=${t('turn.play', { time })} @click=${play}>${time} ${icon('play')}</button>
      ${all.length > 1 || turn.speaker ? whose(one, turn, all) : nothing}
      <button class="plain" aria-label=${t('turn.edit')} @click=${begin}>${icon('pencil')}</button>
    </header>
    ${editing.value === turn.id ? editor(one, turn) : words(turn)}
  </article>`;
}

/** @param {Turn} turn */
function words(turn) {
  return html`<p dir="auto">${turn.words.map((word) => html`<span data-at=${word.start}>${word.text}</span> `)}</p>`;
}

/** @param {Recording} one @param {Turn} turn @param {string[]} all */
function whose(one, turn, all) {
  const transcript = one.transcript.value;
  const fresh = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('').find((letter) => !all.includes(letter)) ?? '?';
  const choose = (/** @type {Event} */ event) => {
    const [scope, speaker] = /** @type {HTMLSelectElement} */ (event.target).value.split(':');
    if (scope === 'this') edit(one, reassigned(transcript, turn.id, speaker));
    if (scope === 'all') edit(one, merged(transcript, turn.speaker, speaker));
  };
  const others = [...all.filter((other) => other !== turn.speaker), fresh];
  const group = (/** @type {string} */ scope, /** @type {string} */ label) =>
    html`<optgroup label=${label}>
      ${others.map((other) => html`<option value="${scope}:${other}">${nameOf(transcript, other)}</option>`)}
    </optgroup>`;
  return html`<select class="whose" aria-label=${t('turn.whose')} @change=${choose}>
    <option value="">${t('turn.whose')}</option>
    ${group('this', t('turn.this'))}
    ${turn.speaker ? group('all', t('turn.all', { name: nameOf(transcript, turn.speaker) })) : nothing}
  </select>`;
}

/** @param {Recording} one @param {Turn} turn */
function editor(one, turn) {
  const area = (/** @type {Element | undefined} */ element) => {
    // A ref is called before its element is in the document, where it cannot take the focus.
    if (element instanceof HTMLTextAreaElement) queueMicrotask(() => element.focus());
  };
  const save = (/** @type {Event} */ event) => {
    if (editing.value !== turn.id) return;
    editing.value = 0;
    edit(one, rewritten(one.transcript.value, turn.id, /** @type {HTMLTextAreaElement} */ (event.target).value));
  };
  return html`<textarea rows="4" aria-label=${t('edit.label')} dir="auto" .value=${textOf(turn)} ${ref(area)}
    @blur=${save} @keydown=${(/** @type {KeyboardEvent} */ event) => typed(event, one, turn)}></textarea>`;
}

/** @param {KeyboardEvent} event @param {Recording} one @param {Turn} turn */
function typed(event, one, turn) {
  const area = /** @type {HTMLTextAreaElement} */ (event.target);
  const done = (/** @type {import('../transcript/model.js').Transcript} */ next) => {
    event.preventDefault();
    editing.value = 0;
    edit(one, next);
  };
  const written = rewritten(one.transcript.value, turn.id, area.value);
  if (event.key === 'Escape') area.blur();
  if (event.key === 'Enter' && event.ctrlKey) {
    done(split(written, turn.id, area.value.slice(0, area.selectionStart).split(/\s+/).filter(Boolean).length));
  }
  if (event.key === 'Backspace' && area.selectionStart === 0 && area.selectionEnd === 0) done(joined(written, turn.id));
}
