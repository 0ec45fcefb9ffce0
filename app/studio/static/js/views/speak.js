// @ts-check
// Speak: type, hear it in any voice, put up to four side by side, download.

import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure } from '../api/client.js';
import { speakFile, speakStream } from '../api/speech.js';
import { locale, number, t } from '../i18n/index.js';
import { parts } from '../sound/parts.js';
import { PcmPlayer, RATE } from '../sound/pcm.js';
import { wavFile } from '../sound/wav.js';
import { about } from '../state/app.js';
import { voices, wanted } from '../state/voices.js';
import { saveFile } from './copy.js';
import { dialog } from './dialogs.js';
import { failureBox } from './failure.js';
import { icon } from './icons.js';

const FORMATS = ['wav', 'mp3', 'opus', 'aac', 'flac'];
const MOST_CHARACTERS = 100_000;
const MOST_COMPARED = 4;
const SAMPLES = /** @type {Record<string, string>} */ ({
  en: 'Good morning. It is half past seven.',
  de: 'Guten Morgen. Es ist halb acht.',
  es: 'Buenos días. Son las siete y media.',
  fr: 'Bonjour. Il est sept heures et demie.',
  it: 'Buongiorno. Sono le sette e mezza.',
  pt: 'Bom dia. São sete e meia.',
  hi: 'सुप्रभात। साढ़े सात बजे हैं।',
  ja: 'おはようございます。七時半です。',
  zh: '早上好。现在七点半。',
});
const MODEL = 'gpt-4o-mini-tts';

const text = signal('');
const voice = signal('cedar');
const compared = signal(/** @type {readonly string[]} */ ([]));
const search = signal('');
const language = signal('');
const speed = signal(1);
const format = signal('wav');
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<{note: string, stop: () => void} | null>} */
const busy = signal(null);
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<readonly {voice: string, first: number, seconds: number, pieces: Uint8Array[], requestId: string}[]>} */
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
      <aside>${voiceList()}</aside>
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
    (take) => html`<li class="row between"><strong>${take.voice}</strong>
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

/** @param {readonly string[]} names */
async function speakAll(names) {
  const stop = new AbortController();
  failed.value = null;
  takes.value = [];
  try {
    for (const name of names) await speakOne(name, stop);
  } catch (wrong) {
    if (wrong instanceof ApiFailure) failed.value = wrong;
    else if (!(wrong instanceof DOMException)) throw wrong;
  } finally {
    busy.value = null;
  }
}

/** @param {string} name @param {AbortController} stop */
async function speakOne(name, stop) {
  const player = new PcmPlayer();
  stop.signal.addEventListener('abort', () => void player.close());
  const began = performance.now();
  const cut = parts(text.value, about.value?.limits.input_characters ?? 4096);
  let first = 0;
  let requestId = '';
  try {
    for (const [index, part] of cut.entries()) {
      const note = cut.length > 1 ? t('speak.part', { part: index + 1, parts: cut.length }) : name;
      busy.value = { note, stop: () => stop.abort() };
      const heard = (/** @type {Uint8Array} */ data) => {
        first ||= (performance.now() - began) / 1000;
        player.feed(data);
      };
      requestId = (await speakStream(bodyOf(name, part), heard, stop.signal)).requestId;
    }
    const all = { voice: name, first, seconds: player.seconds, pieces: player.pieces, requestId };
    takes.value = [...takes.value, all];
    await player.finished();
  } finally {
    await player.close();
  }
}

/** @param {Uint8Array[]} pieces */
async function replay(pieces) {
  const player = new PcmPlayer();
  busy.value = { note: '', stop: () => void player.close() };
  for (const piece of pieces) player.feed(piece);
  await player.finished();
  busy.value = null;
}

/** @param {{voice: string, pieces: Uint8Array[]}} take */
async function download(take) {
  const name = `${take.voice}.${format.value}`;
  if (format.value === 'wav') return saveFile(wavFile(take.pieces, RATE), name);
  const stop = new AbortController();
  busy.value = { note: name, stop: () => stop.abort() };
  try {
    saveFile(await speakFile(bodyOf(take.voice, text.value), stop.signal), name);
  } catch (wrong) {
    if (wrong instanceof ApiFailure) failed.value = wrong;
  } finally {
    busy.value = null;
  }
}

/** @param {{voice: string, requestId: string}} take */
function show(take) {
  const shown = /** @type {const} */ ({
    kind: 'speech',
    body: bodyOf(take.voice, text.value),
    file: `${take.voice}.${format.value}`,
  });
  dialog.value = { kind: 'call', call: { shown, requestId: take.requestId } };
}

function voiceList() {
  const all = voices.value ?? [];
  const languages = [...new Set(all.map((one) => one.language?.slice(0, 2) ?? ''))].filter(Boolean).sort();
  const names = new Intl.DisplayNames(locale.value, { type: 'language' });
  const found = all.filter(
    (one) =>
      (!language.value || one.language?.startsWith(language.value)) &&
      `${one.id} ${one.name ?? ''} ${one.gender ?? ''}`.toLowerCase().includes(search.value.toLowerCase()),
  );
  return html`<div class="row">
      <label>${t('speak.search')} <input type="search" @input=${(/** @type {Event} */ event) => (search.value = /** @type {HTMLInputElement} */ (event.target).value)}></label>
      <select aria-label=${t('speak.all-languages')} @change=${(/** @type {Event} */ event) => (language.value = /** @type {HTMLSelectElement} */ (event.target).value)}>
        <option value="">${t('speak.all-languages')}</option>
        ${languages.map((code) => html`<option value=${code}>${names.of(code)}</option>`)}
      </select>
    </div>
    <p class="quiet" role="status">${t('speak.voices', { count: found.length })}</p>
    <ul class="voices">${repeat(found, (one) => one.id, voiceRow)}</ul>`;
}

/** @param {import('../state/voices.js').Voice} one */
function voiceRow(one) {
  const name = one.name ?? one.id;
  const compare = (/** @type {Event} */ event) => {
    const others = compared.value.filter((id) => id !== one.id);
    const on = /** @type {HTMLInputElement} */ (event.target).checked;
    compared.value = on ? [...others, one.id].slice(-MOST_COMPARED) : others;
  };
  const sample = async () => {
    text.value ||= SAMPLES[one.language?.slice(0, 2) ?? 'en'] ?? SAMPLES.en;
    voice.value = one.id;
    await speakAll([one.id]);
  };
  return html`<li class="row between">
    <label class="row"><input type="radio" name="voice" .checked=${one.id === voice.value} @change=${() => (voice.value = one.id)}
      aria-label=${t('speak.pick', { name })}> ${name}</label>
    <span class="quiet">${one.custom ? t('speak.own') : `${one.gender ?? ''} ${one.language ?? ''}`}</span>
    <input type="checkbox" aria-label=${t('speak.pick-compare', { name })} .checked=${compared.value.includes(one.id)} @change=${compare}>
    <button class="plain" aria-label=${t('speak.sample', { name })} ?disabled=${busy.value !== null} @click=${() => void sample()}>${icon('play')}</button>
  </li>`;
}
