// @ts-check
// Speak: type, hear it in any voice, put up to four side by side, download.

import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { number, t } from '../i18n/index.js';
import { RATE, secondsOf } from '../sound/pcm.js';
import { wavFile } from '../sound/wav.js';
import { dialog, route } from '../state/app.js';
import {
  bodyOf,
  busy,
  failed,
  fetched,
  fetching,
  format,
  isOpen,
  limit,
  replay,
  speakAll,
  speed,
  takes,
} from '../state/speech.js';
import { compared, voice, wanted } from '../state/voices.js';
import { saveFile } from './copy.js';
import { failureBox } from './failure.js';
import { icon } from './pieces.js';
import { nameOfVoice, voiceList } from './voice-list.js';

/** @typedef {import('../state/speech.js').Spoken} Spoken */

const FORMATS = ['wav', 'mp3', 'opus', 'aac', 'flac'];
const MOST_CHARACTERS = 100_000;
const LOOK_MILLISECONDS = 500;

const text = signal('');
const now = signal(Date.now());
setInterval(() => {
  if (busy.value?.step.kind === 'full') now.value = Date.now();
}, LOOK_MILLISECONDS);

export function speakView() {
  wanted();
  const typed = (/** @type {Event} */ event) => (text.value = /** @type {HTMLTextAreaElement} */ (event.target).value);
  return html`<h1>${t('speak.title')}</h1>
    <div class="two wide">
      <section class="sheet stack">
        <label>${t('speak.text')}<textarea rows="6" dir="auto" .value=${text.value} @input=${typed}></textarea></label>
        <p class="row between quiet"><span>${t('speak.voice', { name: nameOfVoice(voice.value) })}</span>
          <span>${counted(text.value.length)}</span></p>
        ${controls()} ${failed.value ? failureBox(failed.value.wrong, failed.value.again) : nothing} ${results()}
      </section>
      <aside>${voiceList((name, sample) => void speakAll([name], sample, false))}</aside>
    </div>`;
}

/** How much of what is allowed the text has. @param {number} count characters */
function counted(count) {
  if (count > MOST_CHARACTERS) return t('speak.too-long', { limit: MOST_CHARACTERS });
  return count > limit() ? t('speak.count-parts', { count }) : t('speak.count', { count, limit: limit() });
}

function controls() {
  const empty = !text.value.trim() || text.value.length > MOST_CHARACTERS;
  if (busy.value) {
    return html`<p class="row"><button data-next @click=${busy.value.stop}>${icon('square')} ${t('common.stop')}</button>
      <span role="status">${note(busy.value.step)}</span></p>`;
  }
  return html`<div class="row making">
    <label>${t('speak.speed')} <input type="number" min="0.25" max="4" step="0.05" .value=${String(speed.value)}
      @change=${(/** @type {Event} */ event) => (speed.value = Number(/** @type {HTMLInputElement} */ (event.target).value) || 1)}></label>
    <label>${t('speak.format')} <select @change=${(/** @type {Event} */ event) => (format.value = /** @type {HTMLSelectElement} */ (event.target).value)}>
      ${FORMATS.map((name) => html`<option ?selected=${name === format.value}>${name}</option>`)}</select></label>
    <button class="main" data-next ?disabled=${empty} @click=${() => void speakAll([voice.value], text.value)}>${icon('volume-2')} ${t('speak.go')}</button>
    <button ?disabled=${empty || compared.value.length < 2} @click=${() => void speakAll(compared.value, text.value)}>
      ${compared.value.length ? t('speak.compare', { count: compared.value.length }) : t('speak.compare-none')}</button>
  </div>`;
}

/** What is done now. @param {import('../state/speech.js').Step} step */
function note(step) {
  if (step.kind === 'again') return t('speak.replay');
  if (step.kind === 'full') return t('error.full', { count: Math.max(1, Math.ceil((step.until - now.value) / 1000)) });
  const { cut, done, voice: name } = step.take;
  if (step.kind === 'heard' || cut.length === 1) return nameOfVoice(name);
  return t('speak.part', { part: done + 1, parts: cut.length });
}

function results() {
  const loading = fetching.value;
  return html`<ul class="takes">${takes.value.map(result)}</ul>
  ${
    loading
      ? html`<p class="row"><button @click=${loading.stop}>${icon('square')} ${t('common.stop')}</button>
      <span role="status">${t('speak.fetching', { name: loading.name })}</span></p>`
      : nothing
  }
  ${takes.value.length > 1 ? html`<p class="quiet">${t('speak.keys', { count: takes.value.length })}</p>` : nothing}`;
}

/** @param {Spoken} take @param {number} index */
function result(take, index) {
  const name = nameOfVoice(take.voice);
  const parts = take.cut.length;
  return html`<li>
    <kbd>${index + 1}</kbd> <strong dir="auto">${name}</strong>
    <span class="quiet">${t('speak.first', { first: seconds(take.first), all: seconds(secondsOf(take.sound)) })}
      ${isOpen(take) ? t('speak.open', { part: take.done + 1, parts }) : nothing}
      ${parts > 1 ? t('speak.parts', { count: parts }) : nothing}</span>
    <span class="row"><button ?disabled=${busy.value?.making} @click=${() => void replay(take)} aria-label="${t('player.play')}: ${name}">${icon('play')}</button>
      <button @click=${() => void download(take)}>${icon('download')} ${t('speak.download')}</button>
      <button aria-label=${t('call.show')} title=${t('call.show')} @click=${() => show(take)}>${icon('code')}</button></span></li>`;
}

/** @param {number} value */
const seconds = (value) => number(value, { style: 'unit', unit: 'second', maximumFractionDigits: 1 });

/** The keys 1 to 4 play the takes, while the view has the focus (WCAG 2.1.4) and the user does not type. */
document.addEventListener('keydown', (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (route.value.view !== 'speak' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!/^[1-4]$/.test(event.key) || !target.closest('main')) return;
  if (target.closest('input:not([type=radio], [type=checkbox]), textarea, select')) return;
  const take = takes.value[Number(event.key) - 1];
  // What is being made must not be stopped by a key.
  if (take && !busy.value?.making) void replay(take);
});

/** A text of several requests is a wav file: other formats cannot be joined. @param {Spoken} take */
async function download(take) {
  const name = fileOf(take);
  if (name.endsWith('.wav')) return saveFile(wavFile(take.sound.blob(), RATE), name);
  const file = await fetched(take, name, () => void download(take));
  if (file) saveFile(file, name);
}

/** @param {Spoken} take */
const fileOf = (take) => `${nameOfVoice(take.voice)}.${take.cut.length > 1 ? 'wav' : format.value}`;

/** @param {Spoken} take */
function show(take) {
  const shown = /** @type {const} */ ({ kind: 'speech', body: bodyOf(take, take.cut[0]), file: fileOf(take) });
  dialog.value = { kind: 'call', call: { shown, requestId: take.requestId } };
}
