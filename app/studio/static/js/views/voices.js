// @ts-check
// Voices: read the phrase, see what was heard, make the voice, try it, withdraw the consent.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { computed, signal } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure, callJson, loadAbout } from '../api/client.js';
import { locale, t } from '../i18n/index.js';
import { about, announcement, untold } from '../state/app.js';
import { take } from '../state/take.js';
import { loadConsents, loadVoices, voice, voices, wanted } from '../state/voices.js';
import { differences } from '../transcript/align.js';
import { failureBox } from './failure.js';
import { ownVoices } from './own-voices.js';
import { icon, rich } from './pieces.js';
import { microphoneNote, recordButton } from './take.js';

/** @typedef {'consent' | 'sample' | 'try'} Step */

/** @returns {Record<string, string>} */
const phrases = () => about.value?.consent_phrases ?? {};

const chosen = signal('');
const step = signal(/** @type {Step} */ ('consent'));
/** Language of the phrase; the page's own, unless the user chose another. */
const language = computed(() => chosen.value || (locale.value in phrases() ? locale.value : 'en'));
const name = signal('');
const consentId = signal('');
/** The voice that was made. */
const made = signal('');
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<File | null>} */
const file = signal(null);
const heard = signal('');
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<ApiFailure | null>} */
const failed = signal(null);
/** Whether something is sent. */
const busy = signal(false);
/** The take that is being transcribed, to show what was heard. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<File | null>} */
const listening = signal(null);
/** The take that can be heard, and its address. @type {{file: File, address: string} | null} */
let played = null;

export function voicesView() {
  wanted();
  const gone = step.value === 'try' && !voices.value?.some((one) => one.id === made.value);
  if (gone) queueMicrotask(() => begin('consent'));
  return html`<h1>${t('nav.voices')}</h1>
    <p class="tells">${t('voices.tells')}</p>
    <div class="two wide"><section class="sheet stack">${maker()}</section>
      <aside>${ownVoices(attempt, (/** @type {string} */ id) => begin('sample', id))}</aside></div>`;
}

const phrase = () => phrases()[language.value] ?? '';

function maker() {
  const steps = /** @type {const} */ (['consent', 'sample', 'try']);
  return html`<h2>${t('voices.new')}</h2>
    <ol class="steps">${steps.map((one) => html`<li aria-current=${one === step.value ? 'step' : 'false'}>${t(`voices.step-${one}`)}</li>`)}</ol>
    ${about.value && !about.value.features.cloner ? html`<p class="quiet">${rich('voices.no-cloner')}</p>` : nothing}
    ${step.value === 'consent' ? consentStep() : step.value === 'sample' ? sampleStep() : tryStep()}
    ${busy.value ? html`<p class="quiet" role="status">${t('voices.sending')}</p>` : nothing}
    ${failed.value ? failureBox(failed.value) : nothing}`;
}

function consentStep() {
  if (!phrase()) {
    return untold.value
      ? failureBox(untold.value, () => void loadAbout())
      : html`<p class="quiet">${t('server.asking')}</p>`;
  }
  const names = new Intl.DisplayNames(locale.value, { type: 'language' });
  const codes = Object.keys(phrases());
  return html`<label>${t('voices.language')} <select @change=${(/** @type {Event} */ event) => (chosen.value = /** @type {HTMLSelectElement} */ (event.target).value)}>
      ${codes.map((code) => html`<option value=${code} ?selected=${code === language.value}>${names.of(code)}</option>`)}</select></label>
    <p>${t('voices.read')}</p>
    <blockquote lang=${language.value}>${phrase()}</blockquote>
    ${recorder(true)}
    ${about.value ? html`<p class="quiet">${rich('voices.organisation', { name: about.value.organisation })}</p>` : nothing}
    ${heardBox()} ${nameField('voices.owner')} ${sendButton(sendConsent)}`;
}

function sampleStep() {
  return html`<p>${t('voices.sample-text')}</p> ${recorder(false)} ${nameField('voices.name')} ${sendButton(sendSample)}`;
}

function tryStep() {
  return html`<p class="good" role="status">${t('voices.made', { name: name.value })}</p>
    <p class="row"><a class="button main" data-next href="#/speak">${icon('volume-2')} ${t('nav.speak')}</a>
      <button @click=${() => begin('consent')}>${t('voices.new')}</button></p>`;
}

/** @param {Step} next @param {string} [consent] */
function begin(next, consent = '') {
  step.value = next;
  consentId.value = consent;
  file.value = null;
  listening.value = null;
  heard.value = '';
  failed.value = null;
  name.value = '';
}

const ready = () => Boolean(file.value && name.value.trim() && !take.value);

/** @param {() => Promise<void>} send */
function sendButton(send) {
  return html`<p class="row"><button class="main" ?disabled=${!ready()} @click=${() => void send()}>${t('voices.send')}</button>
    ${ready() ? nothing : html`<span class="quiet">${t('voices.lacks')}</span>`}</p>`;
}

/** @param {string} label key of its text */
function nameField(label) {
  return html`<label>${t(label)} <input maxlength="100" .value=${name.value}
    @input=${(/** @type {Event} */ event) => (name.value = /** @type {HTMLInputElement} */ (event.target).value)}></label>`;
}

/** @param {boolean} listen whether the take is transcribed, to show what was heard */
function recorder(listen) {
  const got = (/** @type {File} */ taken) => {
    file.value = taken;
    heard.value = '';
    if (listen) void hear(taken);
  };
  const choose = (/** @type {Event} */ event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (input.files?.[0]) got(input.files[0]);
    input.value = '';
  };
  return html`<p class="row">${recordButton({ name: t('take.name'), got, done: t('take.done'), main: !file.value })}
      ${
        take.value
          ? nothing
          : html`<label class="button">${icon('file-audio')} ${t('voices.file')} <input class="unseen" type="file" accept="audio/*,video/*" @change=${choose}></label>`
      }</p>
    ${microphoneNote()} ${file.value && !take.value ? html`<p class="row"><span class="quiet">${file.value.name}</span> ${playback(file.value)}</p>` : nothing}`;
}

/** Lets the user hear what is about to be sent. @param {File} chosen */
function playback(chosen) {
  if (played?.file !== chosen) {
    if (played) URL.revokeObjectURL(played.address);
    played = { file: chosen, address: URL.createObjectURL(chosen) };
  }
  return html`<audio controls src=${played.address} aria-label=${chosen.name}></audio>`;
}

/** @param {File} taken */
async function hear(taken) {
  const form = new FormData();
  form.append('model', 'whisper-1');
  form.append('language', language.value.slice(0, 2));
  form.append('file', taken);
  listening.value = taken;
  failed.value = null;
  try {
    const { text } = await callJson('audio/transcriptions', { method: 'POST', body: form });
    if (listening.value === taken) heard.value = text.trim();
  } catch (wrong) {
    if (!(wrong instanceof ApiFailure)) throw wrong;
    if (listening.value === taken) failed.value = wrong;
  } finally {
    if (listening.value === taken) listening.value = null;
  }
}

function heardBox() {
  if (listening.value && !heard.value) return html`<p class="quiet" role="status">${t('voices.listening')}</p>`;
  if (!heard.value) return nothing;
  const expected = phrase().split(/\s+/);
  const said = heard.value.split(/\s+/);
  const { missing, extra } = differences(expected, said);
  const words = (/** @type {string[]} */ all, /** @type {Set<number>} */ marked) =>
    all.map((word, index) => (marked.has(index) ? html`<mark>${word}</mark> ` : html`${word} `));
  return html`<dl class="compared">
    <dt>${t('voices.heard')}</dt><dd>${words(said, extra)}</dd>
    <dt>${t('voices.expected')}</dt><dd>${words(expected, missing)}</dd>
  </dl>
  <p class=${missing.size + extra.size ? 'warned' : 'good'} role="status">${t(missing.size + extra.size ? 'voices.differs' : 'voices.same')}</p>`;
}

async function sendConsent() {
  await attempt(async () => {
    const form = new FormData();
    form.append('name', name.value.trim());
    form.append('language', language.value);
    form.append('recording', /** @type {File} */ (file.value));
    consentId.value = (await callJson('audio/voice_consents', { method: 'POST', body: form })).id;
    file.value = null;
    listening.value = null;
    step.value = 'sample';
    await loadConsents();
  });
}

async function sendSample() {
  await attempt(async () => {
    const form = new FormData();
    form.append('name', name.value.trim());
    form.append('consent', consentId.value);
    form.append('audio_sample', /** @type {File} */ (file.value));
    const { id } = await callJson('audio/voices', { method: 'POST', body: form });
    await loadVoices();
    made.value = id;
    voice.value = id;
    file.value = null;
    step.value = 'try';
    announcement.value = t('voices.made', { name: name.value });
  });
}

/** @param {() => Promise<void>} work */
async function attempt(work) {
  if (busy.value) return;
  busy.value = true;
  failed.value = null;
  try {
    await work();
  } catch (wrong) {
    if (!(wrong instanceof ApiFailure)) throw wrong;
    failed.value = wrong;
  } finally {
    busy.value = false;
  }
}
