// @ts-check
// Transcribe: drop a recording, and see its transcription grow.

import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { clock, number, percent, size, span, t } from '../i18n/index.js';
import { about, route } from '../state/app.js';
import { keep } from '../state/kept.js';
import * as library from '../state/library.js';
import { isDictation, reattach, recording, recordings } from '../state/recordings.js';
import { take as taken } from '../state/take.js';
import { wordCount } from '../transcript/model.js';
import { failureBox } from './failure.js';
import { later, unloaded } from './later.js';
import { optionsBox } from './options.js';
import { icon, rich } from './pieces.js';
import { recordingList } from './recordings.js';
import { microphoneNote, recordButton } from './take.js';

/** @typedef {import('../state/recordings.js').Recording} Recording */

const over = signal(false);
const broad = matchMedia('(width >= 900px)');
/** Whether there is room for a column at the side. */
const wide = signal(broad.matches);
broad.addEventListener('change', () => {
  wide.value = broad.matches;
});
const now = signal(Date.now());
setInterval(() => {
  if (library.working.value) now.value = Date.now();
}, 1000);

export function transcribeView() {
  const open = recording(route.value.id);
  if (!open) return html`${dropZone()} ${recordings.value.length || !keep.value ? recordingList(nothing) : nothing}`;
  const more = later('opened');
  if (!more) return html`<h1 dir="auto">${open.name}</h1>${unloaded('opened')}`;
  return html`<div class="two">
    <details class="side" ?open=${wide.value}><summary>${t('list.side')}</summary>
      ${recordingList(chooser(t('list.add')))} ${more.peopleBox(open)}</details>
    <section class="sheet">${head(open, more.exportMenu)} ${more.transcriptView(open)}</section>
  </div>`;
}

/** @param {readonly File[]} files */
export function take(files) {
  const open = recording(route.value.id);
  // The file of the open text, dropped to hear it.
  if (open && files.length === 1 && reattach(open, files[0])) return;
  const [first] = library.add(files);
  if (first) location.hash = `#/transcribe/${first.id}`;
}

/** The whole page takes files, so that one dropped beside the zone does not make the browser leave. */
export function watchDrops() {
  const drag = (/** @type {DragEvent} */ event) => {
    const files = event.dataTransfer?.types.includes('Files');
    // Text may be dragged into a text field.
    const { target } = event;
    if (!files && target instanceof Element && target.closest('input, textarea')) return;
    event.preventDefault();
    over.value = event.type === 'dragover' && Boolean(files);
    const here = files && (route.value.view === 'transcribe' || chooserHere());
    if (event.dataTransfer && !here) event.dataTransfer.dropEffect = 'none';
  };
  for (const name of /** @type {const} */ (['dragover', 'dragleave'])) document.addEventListener(name, drag);
  document.addEventListener('drop', (event) => {
    drag(event);
    const files = event.dataTransfer?.files;
    if (!files?.length) return;
    if (route.value.view === 'transcribe') return take([...files]);
    const input = chooserHere();
    if (!input) return;
    input.files = files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  });
}

/** What takes a file in another view. @returns {HTMLInputElement | null} */
const chooserHere = () => document.querySelector('main input[type=file]');

function dropZone() {
  return html`<section class="drop ${over.value ? 'over' : ''}">
      <h1><span class="broad">${t('drop.title')}</span><span class="narrow">${t('drop.touch')}</span></h1>
      <p class="tells">${t('drop.tells')}</p>
      <p class="row center">${taken.value ? nothing : chooser(t('drop.choose'), 'main')}
        ${recordButton({ name: takeName(), got: (file) => take([file]), done: t('take.transcribe'), keep: true })}
        ${taken.value ? nothing : html`<button data-first="example" @click=${example}>${t('drop.example')}</button>`}</p>
      ${microphoneNote()}
      <p class="quiet limits">${limits()}</p>
    </section>
    ${optionsBox()}`;
}

/** The name of a take: when it was made. */
function takeName() {
  const made = new Date();
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const day = [made.getFullYear(), two(made.getMonth() + 1), two(made.getDate())].join('-');
  return `${t('take.name')} ${day} ${two(made.getHours())}.${two(made.getMinutes())}`;
}

function limits() {
  const told = about.value?.limits;
  if (!told) return t('drop.any');
  return t('drop.limits', { size: size(told.upload_bytes, 'floor'), time: span(told.audio_seconds) });
}

/** @param {string} label @param {string} [kind] */
function chooser(label, kind = '') {
  const choose = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    take([...(input.files ?? [])]);
    input.value = '';
  };
  return html`<label class="button ${kind}">${icon('upload')} ${label}
    <input class="unseen" type="file" multiple accept="audio/*,video/*,.mkv,.flac,.opus,.amr"
      data-first=${kind ? 'choose' : nothing} autocomplete="off" @change=${choose}></label>`;
}

async function example() {
  const address = new URL('../../example.opus', import.meta.url);
  const data = await (await fetch(address)).blob();
  take([new File([data], 'kennedy-1961.opus', { type: 'audio/ogg', lastModified: 0 })]);
}

/** @param {Recording} one */
function phaseText(one) {
  const { phase, sent, seconds, expected } = one.progress.value;
  if (phase === 'sending') return t('phase.sending', { share: percent(sent) });
  if (phase === 'listening') return t('phase.listening', { at: clock(seconds), all: clock(expected) });
  return phase === 'waiting' ? t('phase.waiting') : phase === 'queued' ? t('phase.queued') : '';
}

/** @param {Recording} one @param {(one: Recording) => unknown} exportMenu */
function head(one, exportMenu) {
  const { phase, sent, seconds, expected } = one.progress.value;
  const busy = ['waiting', 'sending', 'queued', 'listening'].includes(phase);
  const share = phase === 'sending' ? sent : expected ? seconds / expected : 0;
  return html`<div class="row between"><h1 dir="auto">${one.name}</h1>
      ${busy ? html`<button @click=${() => library.stop(one)}>${icon('square')} ${t('common.stop')}</button>` : exportMenu(one)}</div>
    ${
      busy
        ? html`<progress max="1" value=${share} aria-label=${one.name}></progress>
          <p class="row between quiet"><span>${phaseText(one)}</span><span>${left(one)}</span></p>`
        : html`<p class="quiet">${summary(one)}</p>`
    }
    ${trouble(one)}`;
}

/** @param {Recording} one */
function left(one) {
  const { phase, seconds, expected, since } = one.progress.value;
  if (phase !== 'listening' || seconds < 5 || !expected) return '';
  const rest = (((now.value - since) / seconds) * (expected - seconds)) / 60_000;
  return rest < 0.7 ? t('phase.soon') : t('phase.left', { count: Math.ceil(rest) });
}

/** @param {Recording} one */
function summary(one) {
  const { phase, seconds, expected, took } = one.progress.value;
  const transcript = one.transcript.value;
  if (phase === 'elsewhere') return t('phase.elsewhere', { at: clock(seconds), all: clock(expected) });
  if (phase === 'stopped') return t('phase.stopped', { at: clock(transcript.seconds) });
  if (phase === 'failed' && transcript.turns.length) return t('phase.failed', { at: clock(transcript.seconds) });
  if (phase !== 'done') return '';
  if (!transcript.turns.length) return t(transcript.seconds ? 'phase.cleared' : 'phase.silent');
  const all = clock(Math.max(seconds, expected, transcript.seconds));
  if (isDictation(one)) return t('phase.said', { words: wordCount(transcript), seconds: all });
  const spent = number(took, { style: 'unit', unit: 'second', maximumFractionDigits: 1 });
  return t('phase.done', { words: wordCount(transcript), seconds: all, took: spent });
}

/** @param {Recording} one */
function trouble(one) {
  const { phase, failure, retryAt } = one.progress.value;
  if (phase === 'refused') {
    const limit = size(about.value?.limits.upload_bytes ?? 0, 'floor');
    return html`<div class="failure" role="alert">${rich('drop.too-large', { name: one.name, size: size(one.size, 'ceil'), limit })}</div>`;
  }
  if (retryAt)
    return html`<p role="alert">${t('error.full', { count: Math.max(1, Math.ceil((retryAt - now.value) / 1000)) })}</p>`;
  if (phase === 'stopped' && one.file)
    return html`<p><button @click=${() => library.again(one)}>${icon('refresh-cw')} ${t('common.retry')}</button></p>`;
  return failure ? failureBox(failure, one.file ? () => library.again(one) : undefined) : nothing;
}
