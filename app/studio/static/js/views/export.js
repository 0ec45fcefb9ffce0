// @ts-check
// Saves a transcript in a format that the user chooses. The server renders it, so that the page and the API have the same subtitles.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure, callBlob } from '../api/client.js';
import { t } from '../i18n/index.js';
import { edit, undo } from '../state/library.js';
import { replacedEverywhere } from '../transcript/edits.js';
import { endOf, nameOf, startOf, textOf } from '../transcript/model.js';
import { saveFile } from './copy.js';
import { failureBox } from './failure.js';
import { closeMenu, menu } from './menu.js';
import { icon } from './pieces.js';

/** @typedef {import('../state/recordings.js').Recording} Recording */

/** Of a file name. The name of a dictation ends with a time, like `09.30`, which is no ending. */
const ENDING = /\.(?=\w*[a-z])\w+$/i;
const FORMATS = ['srt', 'vtt', 'txt', 'json', 'docx'];
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<ApiFailure | null>} */
const failed = signal(null);
/** What the last replacing did, and to which recording. */
const told = signal({ id: '', text: '' });

/** @param {Recording} one */
export function exportMenu(one) {
  const empty = !one.transcript.value.turns.length;
  if (empty && !one.past.value.length) return nothing;
  const back = html`<button aria-label=${t('common.undo')} ?disabled=${!one.past.value.length} @click=${() => undo(one)}>${icon('undo-2')} <span class="spare">${t('common.undo')}</span></button>`;
  if (empty) return back;
  return html`<div class="row">
      ${back}
      ${menu(html`${icon('replace')} <span class="spare">${t('replace.title')}</span>`, replaceForm(one), t('replace.title'))}
      ${menu(
        html`${icon('download')} ${t('export.title')}`,
        html`<ul @click=${closeMenu}>${FORMATS.map(
          (format) =>
            html`<li><button class="plain" @click=${() => void save(one, format)}>${t(`export.${format}`)}</button></li>`,
        )}</ul>`,
      )}
    </div>
    ${told.value.id === one.id ? html`<p class="quiet" role="status">${told.value.text}</p>` : nothing}
    ${failed.value ? failureBox(failed.value) : nothing}`;
}

/** @param {Recording} one */
function replaceForm(one) {
  const go = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    closeMenu(event);
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    const { transcript, count } = replacedEverywhere(
      one.transcript.value,
      String(form.get('from')),
      String(form.get('to')),
    );
    if (count) edit(one, transcript);
    told.value = { id: one.id, text: t('replace.done', { count }) };
  };
  return html`<form class="stack" @submit=${go}>
    <label>${t('replace.from')} <input name="from" required></label>
    <label>${t('replace.to')} <input name="to"></label>
    <button>${t('replace.title')}</button></form>`;
}

/** The body of the request that makes the file. @param {Recording} one @param {string} format */
export function renderBody(one, format) {
  const transcript = one.transcript.value;
  const segments = transcript.turns.map((turn) => ({
    start: startOf(turn),
    end: endOf(turn),
    text: textOf(turn),
    ...(turn.speaker ? { speaker: nameOf(transcript, turn.speaker) } : {}),
    words: turn.words.map((word) => ({ word: word.text, start: word.start, end: word.end })),
  }));
  return { format: format === 'txt' ? 'text' : format, title: one.name, language: transcript.language, segments };
}

/** @param {Recording} one @param {string} format */
async function save(one, format) {
  failed.value = null;
  try {
    const file = await callBlob('audio/transcriptions/render', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(renderBody(one, format)),
    });
    saveFile(file, `${one.name.replace(ENDING, '')}.${format}`);
  } catch (wrong) {
    if (wrong instanceof ApiFailure) failed.value = wrong;
    else throw wrong;
  }
}
