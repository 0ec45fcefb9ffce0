// @ts-check
// Speak: type, hear it in any voice, put up to four side by side, download.

import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure } from '../api/client.js';
import { speakFile, speakStream } from '../api/speech.js';
import { number, t } from '../i18n/index.js';
import { parts } from '../sound/parts.js';
import { PcmPlayer, RATE } from '../sound/pcm.js';
import { wavFile } from '../sound/wav.js';
import { about, route } from '../state/app.js';
import { wanted } from '../state/voices.js';
import { saveFile } from './copy.js';
import { dialog } from './dialogs.js';
import { failureBox } from './failure.js';
import { icon } from './icons.js';
import { compared, voice, voiceList } from './voice-list.js';

const FORMATS = ['wav', 'mp3', 'opus', 'aac', 'flac'];
const MOST_CHARACTERS = 100_000;
const MODEL = 'gpt-4o-mini-tts';

const text = signal('');
const speed = signal(1);
const format = signal('wav');
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<{note: string, making: boolean, stop: () => void} | null>} */
const busy = signal(null);
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<readonly {voice: string, input: string, first: number, seconds: number, pieces: Uint8Array[], requestId: string}[]>} */
const takes = signal([]);
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<ApiFailure | null>} */
const failed = signal(null);

export function speakView() {
  wanted();
  const limit = about.value?.limits.input_characters ?? 4096;
  const typed = (/** @type {Event} */ event) => (text.value = /** @type {HTMLTextAreaElement} */ (event.target).value);
  return html`<h1>${t('speak.title')}</h1>
    <div class="two wide">
      <section class="sheet stack">
        <label>${t('speak.text')}<textarea rows="8" dir="auto" .value=${text.value} @input=${typed}></textarea></label>
        <p class="quiet">${t('speak.count', { count: text.value.length, limit })}
          ${text.value.length > MOST_CHARACTERS ? t('speak.too-long', { limit: MOST_CHARACTERS }) : nothing}</p>
        ${controls()} ${failed.value ? failureBox(failed.value) : nothing} ${results()}
      </section>
      <aside>${voiceList(busy.value !== null, (name, sample) => void speakAll([name], sample))}</aside>
    </div>`;
}

function controls() {
  const empty = !text.value.trim() || text.value.length > MOST_CHARACTERS;
  if (busy.value) {
    return html`<p class="row"><button @click=${busy.value.stop}>${icon('square')} ${t('common.stop')}</button>
      <span role="status">${busy.value.note}</span></p>`;
  }
  return html`<div class="row">
    <label>${t('speak.speed')} <input type="number" min="0.25" max="4" step="0.05" .value=${String(speed.value)}
      @change=${(/** @type {Event} */ event) => (speed.value = Number(/** @type {HTMLInputElement} */ (event.target).value) || 1)}></label>
    <label>${t('speak.format')} <select @change=${(/** @type {Event} */ event) => (format.value = /** @type {HTMLSelectElement} */ (event.target).value)}>
      ${FORMATS.map((name) => html`<option ?selected=${name === format.value}>${name}</option>`)}</select></label>
    <button class="main" ?disabled=${empty} @click=${() => void speakAll([voice.value])}>${icon('volume-2')} ${t('speak.go')}</button>
    <button ?disabled=${empty || compared.value.length < 2} @click=${() => void speakAll(compared.value)}>
      ${t('speak.compare', { count: compared.value.length })}</button>
  </div>`;
}

function results() {
  return html`<ul class="takes">${takes.value.map(
    (take, index) => html`<li class="row between"><kbd>${index + 1}</kbd> <strong>${take.voice}</strong>
      <span class="quiet">${t('speak.first', { first: seconds(take.first), all: seconds(take.seconds) })}</span>
      <button @click=${() => void replay(take.pieces)} aria-label="${t('player.play')}: ${take.voice}">${icon('play')}</button>
      <button @click=${() => void download(take)}>${icon('download')} ${t('speak.download')}</button>
      <button @click=${() => show(take)}>${icon('code')} ${t('call.show')}</button></li>`,
  )}</ul>`;
}

/** @param {number} value */
const seconds = (value) => number(value, { style: 'unit', unit: 'second', maximumFractionDigits: 1 });

/** @param {string} name @param {string} input */
const bodyOf = (name, input) => ({
  model: MODEL,
  voice: name,
  input,
  speed: speed.value,
  response_format: format.value,
});

/** @param {readonly string[]} names @param {string} [input] */
async function speakAll(names, input = text.value) {
  const stop = new AbortController();
  failed.value = null;
  takes.value = [];
  try {
    for (const name of names) await speakOne(name, input, stop);
  } catch (wrong) {
    if (wrong instanceof ApiFailure) failed.value = wrong;
    else if (!(wrong instanceof DOMException)) throw wrong;
  } finally {
    busy.value = null;
  }
}

/** @param {string} name @param {string} input @param {AbortController} stop */
async function speakOne(name, input, stop) {
  const player = new PcmPlayer();
  stop.signal.addEventListener('abort', () => void player.close());
  const began = performance.now();
  const cut = parts(input, about.value?.limits.input_characters ?? 4096);
  let first = 0;
  let requestId = '';
  try {
    for (const [index, part] of cut.entries()) {
      const note = cut.length > 1 ? t('speak.part', { part: index + 1, parts: cut.length }) : name;
      busy.value = { note, making: true, stop: () => stop.abort() };
      const heard = (/** @type {Uint8Array} */ data) => {
        first ||= (performance.now() - began) / 1000;
        player.feed(data);
      };
      requestId = (await speakStream(bodyOf(name, part), heard, stop.signal)).requestId;
    }
    const all = { voice: name, input, first, seconds: player.seconds, pieces: player.pieces, requestId };
    takes.value = [...takes.value, all];
    await player.finished();
  } finally {
    await player.close();
  }
}

/** Plays a take again, and stops the one that is playing. @param {Uint8Array[]} pieces */
async function replay(pieces) {
  busy.value?.stop();
  const player = new PcmPlayer();
  busy.value = { note: t('speak.replay'), making: false, stop: () => void player.close() };
  for (const piece of pieces) player.feed(piece);
  await player.finished();
  busy.value = null;
}

/** The keys 1 to 4 play the takes, except while the user types. */
document.addEventListener('keydown', (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (route.value.view !== 'speak' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (
    !/^[1-4]$/.test(event.key) ||
    target.closest('input:not([type=radio], [type=checkbox]), textarea, select, dialog')
  )
    return;
  const take = takes.value[Number(event.key) - 1];
  if (take && !working()) void replay(take.pieces);
});

/** Whether speech is being made; the keys 1 to 4 must not stop that. */
const working = () => Boolean(busy.value?.making);

/** @param {{voice: string, input: string, pieces: Uint8Array[]}} take */
async function download(take) {
  const name = `${take.voice}.${format.value}`;
  if (format.value === 'wav') return saveFile(wavFile(take.pieces, RATE), name);
  const stop = new AbortController();
  busy.value = { note: t('speak.fetching', { name }), making: true, stop: () => stop.abort() };
  try {
    saveFile(await speakFile(bodyOf(take.voice, take.input), stop.signal), name);
  } catch (wrong) {
    if (wrong instanceof ApiFailure) failed.value = wrong;
  } finally {
    busy.value = null;
  }
}

/** @param {{voice: string, input: string, requestId: string}} take */
function show(take) {
  const shown = /** @type {const} */ ({
    kind: 'speech',
    body: bodyOf(take.voice, take.input),
    file: `${take.voice}.${format.value}`,
  });
  dialog.value = { kind: 'call', call: { shown, requestId: take.requestId } };
}
