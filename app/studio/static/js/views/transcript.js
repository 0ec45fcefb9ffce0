// @ts-check
// The text: one element a turn, one a word. A turn renders again only when it changes, and playback renders nothing.

import { guard } from '../../vendor/lit-html/directives/guard.js';
import { ref } from '../../vendor/lit-html/directives/ref.js';
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { clock, locale, t } from '../i18n/index.js';
import * as player from '../sound/player.js';
import { dialog } from '../state/app.js';
import { edit, openField, settle, typed } from '../state/library.js';
import { draft } from '../state/recordings.js';
import { joined, merged, reassigned, split } from '../transcript/edits.js';
import { nameOf, speakers, startOf, textOf } from '../transcript/model.js';
import { tint } from './people.js';
import { icon } from './pieces.js';

/**
 * @typedef {import('../state/recordings.js').Recording} Recording
 * @typedef {import('../transcript/model.js').Turn} Turn
 * @typedef {import('../transcript/model.js').Transcript} Transcript
 */

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'.split('');
/** The element that holds the text, while it is shown. @type {Element | undefined} */
let shown;

/** @param {Element | undefined} element */
const keepElement = (element) => {
  shown = element;
};

/** @param {Recording} one */
export function transcriptView(one) {
  const transcript = one.transcript.value;
  const all = speakers(transcript);
  const names = all.join();
  const field = draft.value?.turn;
  player.open(one.file);
  return html`<div class="transcript" role="group" aria-label=${t('turn.text')} ${ref(keepElement)} @click=${clicked}>
    ${guard([transcript, field, locale.value], () => {
      queueMicrotask(() => follow(one));
      return repeat(
        transcript.turns,
        (turn) => turn.id,
        (turn, index) => {
          const first = transcript.turns[index - 1]?.speaker !== turn.speaker;
          const facts = [turn, first, field === turn.id, transcript.names, names, transcript.told, locale.value];
          return guard(facts, () => turnView(one, turn, first, all));
        },
      );
    })}
  </div>`;
}

/** Tells the player which element is which word, and makes one word reachable by the Tab key. @param {Recording} one */
function follow(one) {
  if (!shown) return;
  const words = one.transcript.value.turns.flatMap((turn) => (turn.id === draft.value?.turn ? [] : [...turn.words]));
  const elements = [...shown.querySelectorAll('[data-at]')];
  player.follow(words, elements);
  if (!shown.querySelector('[data-at][tabindex="0"]')) elements[0]?.setAttribute('tabindex', '0');
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
  const name = turn.speaker ? nameOf(transcript, turn.speaker) : '';
  const tinted = turn.speaker ? `speaker-${tint(all, turn.speaker)}` : '';
  return html`<article class="turn ${tinted} ${first ? '' : 'goes-on'}" data-turn=${turn.id} aria-label="${name} ${time}">
    <header class="row">
      ${turn.speaker && first ? html`<span class="badge" aria-hidden="true">${turn.speaker.slice(0, 2)}</span><strong dir="auto">${name}</strong>` : nothing}
      <button class="plain time" aria-label=${t('turn.play', { time })} @click=${() => player.seek(startOf(turn), true)}>${time}</button>
      <span class="row quietly">
        <button class="plain" aria-label="${t('turn.edit')}, ${time}" title=${t('turn.edit')} @click=${() => begin(one, turn.id)}>${icon('pencil')}</button>
        ${transcript.told ? whose(one, turn, all, time) : nothing}
      </span>
    </header>
    ${draft.value?.turn === turn.id ? editor(one, turn) : words(turn)}
  </article>`;
}

/** @param {Recording} one @param {number} turn */
export function begin(one, turn) {
  player.pause();
  openField(one, turn);
}

/**
 * Made without a template: a recording of two hours has 15,000 words, and a template costs several nodes for each.
 * @param {Turn} turn
 */
function words(turn) {
  const text = document.createElement('p');
  text.dir = 'auto';
  for (const word of turn.words) {
    const one = document.createElement('span');
    one.setAttribute('data-at', String(word.start));
    one.textContent = word.text;
    text.append(one, ' ');
  }
  return text;
}

/** @param {Recording} one @param {Turn} turn @param {string[]} all @param {string} time */
function whose(one, turn, all, time) {
  const ask = () => {
    dialog.value = { kind: 'choose', text: `${t('turn.whose')}, ${time}`, groups: choices(one, turn, all) };
  };
  return html`<button class="plain whose" aria-label="${t('turn.whose')}, ${time}" title=${t('turn.whose')} @click=${ask}>${icon('users')} <span class="spare">${t('turn.whose')}</span></button>`;
}

/** @param {Recording} one @param {Turn} turn @param {string[]} all */
function choices(one, turn, all) {
  const transcript = one.transcript.value;
  const fresh = LETTERS.find((letter) => !all.includes(letter));
  const others = [...all.filter((other) => other !== turn.speaker), ...(fresh ? [fresh] : [])];
  const group = (/** @type {string} */ label, /** @type {(now: Transcript, other: string) => Transcript} */ next) => ({
    label,
    choices: others.map((other) => ({
      name: nameOf(transcript, other),
      take: () => edit(one, next(one.transcript.value, other)),
    })),
  });
  const groups = [group(t('turn.this'), (now, other) => reassigned(now, turn.id, other))];
  if (turn.speaker) {
    const label = t('turn.all', { name: nameOf(transcript, turn.speaker) });
    groups.push(group(label, (now, other) => merged(now, turn.speaker, other)));
  }
  return groups;
}

/** Takes the focus when it comes, after it is in the document. @param {Element | undefined} element */
const takeFocus = (element) => {
  if (element instanceof HTMLTextAreaElement) queueMicrotask(() => element.focus());
};

/** @param {Recording} one @param {Turn} turn */
function editor(one, turn) {
  const left = () => {
    if (draft.value?.turn === turn.id) settle();
  };
  const input = (/** @type {Event} */ event) => typed(/** @type {HTMLTextAreaElement} */ (event.target).value);
  const rows = Math.min(12, 2 + Math.ceil(textOf(turn).length / 70));
  return html`<textarea rows=${rows} aria-label=${t('edit.label')} dir="auto" .value=${draft.value?.text ?? ''} ${ref(takeFocus)}
    @blur=${left} @input=${input} @keydown=${(/** @type {KeyboardEvent} */ event) => pressed(event, one, turn)}></textarea>
    <p class="quiet">${t('edit.hint')}</p>`;
}

/** @param {KeyboardEvent} event @param {Recording} one @param {Turn} turn */
function pressed(event, one, turn) {
  const area = /** @type {HTMLTextAreaElement} */ (event.target);
  const before = one.transcript.value.turns;
  const done = (/** @type {number} */ id, /** @type {((now: Transcript) => Transcript) | undefined} */ then) => {
    event.preventDefault();
    settle(then);
    focusTurn(id);
  };
  if (event.key === 'Escape') return done(turn.id, undefined);
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    const index = area.value.slice(0, area.selectionStart).split(/\s+/).filter(Boolean).length;
    return done(turn.id, (now) => split(now, turn.id, index));
  }
  const previous = before[before.findIndex((other) => other.id === turn.id) - 1];
  if (event.key === 'Backspace' && previous && area.selectionStart === 0 && area.selectionEnd === 0) {
    done(previous.id, (now) => joined(now, turn.id));
  }
}

/** Gives the focus to the first word of a turn, or its first button. @param {number} id */
function focusTurn(id) {
  queueMicrotask(() => {
    const turn = shown?.querySelector(`[data-turn="${id}"]`);
    const word = /** @type {HTMLElement | null | undefined} */ (turn?.querySelector('[data-at]'));
    if (word) focusWord(word);
    /** @type {HTMLElement | null | undefined} */ else turn?.querySelector('button')?.focus();
  });
}

/** Roving tabindex: of all words, the Tab key reaches only one. @param {HTMLElement} word */
export function focusWord(word) {
  for (const other of shown?.querySelectorAll('[data-at][tabindex="0"]') ?? []) other.setAttribute('tabindex', '-1');
  word.setAttribute('tabindex', '0');
  word.focus();
}
