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
import { compared, voice, wanted } from '../state/voices.js';
import { saveFile } from './copy.js';
import { dialog } from './dialogs.js';
import { failureBox } from './failure.js';
import { icon } from './icons.js';
import { nameOfVoice, voiceList } from './voice-list.js';

/**
 * @typedef {{voice: string, cut: readonly string[], speed: number, first: number, seconds: number, pieces: Uint8Array[],
 *   requestId: string}} Spoken `cut`: the text, in parts that one request may hold
 */

const FORMATS = ['wav', 'mp3', 'opus', 'aac', 'flac'];
const MOST_CHARACTERS = 100_000;
const MODEL = 'gpt-4o-mini-tts';

const text = signal('');
const speed = signal(1);
const format = signal('wav');
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<{note: string, making: boolean, stop: () => void} | null>} */
const busy = signal(null);
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<readonly Spoken[]>} */
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
        <label>${t('speak.text')}<textarea rows="6" dir="auto" .value=${text.value} @input=${typed}></textarea></label>
        <p class="row between quiet"><span>${t('speak.voice', { name: nameOfVoice(voice.value) })}</span>
          <span>${t('speak.count', { count: text.value.length, limit })}</span>
          ${text.value.length > MOST_CHARACTERS ? t('speak.too-long', { limit: MOST_CHARACTERS }) : nothing}</p>
        ${controls()} ${failed.value ? failureBox(failed.value) : nothing} ${results()}
      </section>
      <aside>${voiceList((name, sample) => void speakAll([name], sample, false))}</aside>
    </div>`;
}

function controls() {
  const empty = !text.value.trim() || text.value.length > MOST_CHARACTERS;
  if (busy.value) {
    return html`<p class="row"><button data-next @click=${busy.value.stop}>${icon('square')} ${t('common.stop')}</button>
      <span role="status">${busy.value.note}</span></p>`;
  }
  return html`<div class="row making">
    <label>${t('speak.speed')} <input type="number" min="0.25" max="4" step="0.05" .value=${String(speed.value)}
      @change=${(/** @type {Event} */ event) => (speed.value = Number(/** @type {HTMLInputElement} */ (event.target).value) || 1)}></label>
    <label>${t('speak.format')} <select @change=${(/** @type {Event} */ event) => (format.value = /** @type {HTMLSelectElement} */ (event.target).value)}>
      ${FORMATS.map((name) => html`<option ?selected=${name === format.value}>${name}</option>`)}</select></label>
    <button class="main" data-next ?disabled=${empty} @click=${() => void speakAll([voice.value])}>${icon('volume-2')} ${t('speak.go')}</button>
    <button ?disabled=${empty || compared.value.length < 2} @click=${() => void speakAll(compared.value)}>
      ${compared.value.length ? t('speak.compare', { count: compared.value.length }) : t('speak.compare-none')}</button>
  </div>`;
}

function results() {
  return html`<ul class="takes">${takes.value.map(
    (take, index) => html`<li>
      <kbd>${index + 1}</kbd> <strong dir="auto">${nameOfVoice(take.voice)}</strong>
      <span class="quiet">${t('speak.first', { first: seconds(take.first), all: seconds(take.seconds) })}
        ${take.cut.length > 1 ? t('speak.parts', { count: take.cut.length }) : nothing}</span>
      <span class="row"><button @click=${() => void replay(take.pieces)} aria-label="${t('player.play')}: ${nameOfVoice(take.voice)}">${icon('play')}</button>
        <button @click=${() => void download(take)}>${icon('download')} ${t('speak.download')}</button>
        <button aria-label=${t('call.show')} title=${t('call.show')} @click=${() => show(take)}>${icon('code')}</button></span></li>`,
  )}</ul>
  ${takes.value.length > 1 ? html`<p class="quiet">${t('speak.keys', { count: takes.value.length })}</p>` : nothing}`;
}

/** @param {number} value */
const seconds = (value) => number(value, { style: 'unit', unit: 'second', maximumFractionDigits: 1 });

/** @param {string} name @param {string} input @param {number} pace */
const bodyOf = (name, input, pace) => ({
  model: MODEL,
  voice: name,
  input,
  speed: pace,
  response_format: format.value,
});

/**
 * Speaks with one voice after the other; what is spoken now ends.
 * @param {readonly string[]} names @param {string} [input] @param {boolean} [kept] whether the results are listed
 */
async function speakAll(names, input = text.value, kept = true) {
  busy.value?.stop();
  const stop = new AbortController();
  failed.value = null;
  if (kept) takes.value = [];
  try {
    for (const name of names) {
      const made = await speakOne(name, input, stop, kept);
      if (stop.signal.aborted) return;
      await made.finished();
    }
  } catch (wrong) {
    if (stop.signal.aborted) return;
    if (wrong instanceof ApiFailure) failed.value = wrong;
    else throw wrong;
  } finally {
    if (!stop.signal.aborted) busy.value = null;
  }
}

/** @param {string} name @param {string} input @param {AbortController} stop @param {boolean} kept @returns {Promise<PcmPlayer>} which may still be heard */
async function speakOne(name, input, stop, kept) {
  const player = new PcmPlayer();
  const halt = () => {
    busy.value = null;
    stop.abort();
  };
  stop.signal.addEventListener('abort', () => void player.close());
  const began = performance.now();
  const pace = speed.value;
  const cut = parts(input, about.value?.limits.input_characters ?? 4096);
  let first = 0;
  let requestId = '';
  for (const [index, part] of cut.entries()) {
    const note = cut.length > 1 ? t('speak.part', { part: index + 1, parts: cut.length }) : nameOfVoice(name);
    busy.value = { note, making: true, stop: halt };
    const heard = (/** @type {Uint8Array} */ data) => {
      first ||= (performance.now() - began) / 1000;
      player.feed(data);
    };
    try {
      requestId = (await speakStream(bodyOf(name, part, pace), heard, stop.signal)).requestId;
    } catch (wrong) {
      await player.close();
      throw wrong;
    }
  }
  const all = { voice: name, cut, speed: pace, first, seconds: player.seconds, pieces: player.pieces, requestId };
  if (kept) takes.value = [...takes.value, all];
  return player;
}

/** Plays a take again, and stops the one that is playing. @param {Uint8Array[]} pieces */
async function replay(pieces) {
  busy.value?.stop();
  const player = new PcmPlayer();
  const mine = { note: t('speak.replay'), making: false, stop: () => void player.close() };
  busy.value = mine;
  for (const piece of pieces) player.feed(piece);
  await player.finished();
  if (busy.value === mine) busy.value = null;
}

/** The keys 1 to 4 play the takes, while the view has the focus (WCAG 2.1.4) and the user does not type. */
document.addEventListener('keydown', (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (route.value.view !== 'speak' || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!/^[1-4]$/.test(event.key) || !target.closest('main')) return;
  if (target.closest('input:not([type=radio], [type=checkbox]), textarea, select')) return;
  const take = takes.value[Number(event.key) - 1];
  if (take && !working()) void replay(take.pieces);
});

/** Whether speech is being made; the keys 1 to 4 must not stop that. */
const working = () => Boolean(busy.value?.making);

/** A text of several requests is a wav file: other formats cannot be joined. @param {Spoken} take */
async function download(take) {
  const name = fileOf(take);
  if (name.endsWith('.wav')) return saveFile(wavFile(take.pieces, RATE), name);
  const stop = new AbortController();
  const mine = { note: t('speak.fetching', { name }), making: true, stop: () => stop.abort() };
  busy.value = mine;
  try {
    saveFile(await speakFile(bodyOf(take.voice, take.cut[0], take.speed), stop.signal), name);
  } catch (wrong) {
    if (wrong instanceof ApiFailure) failed.value = wrong;
  } finally {
    if (busy.value === mine) busy.value = null;
  }
}

/** @param {Spoken} take */
const fileOf = (take) => `${nameOfVoice(take.voice)}.${take.cut.length > 1 ? 'wav' : format.value}`;

/** @param {Spoken} take */
function show(take) {
  const shown = /** @type {const} */ ({
    kind: 'speech',
    body: bodyOf(take.voice, take.cut[0], take.speed),
    file: fileOf(take),
  });
  dialog.value = { kind: 'call', call: { shown, requestId: take.requestId } };
}
