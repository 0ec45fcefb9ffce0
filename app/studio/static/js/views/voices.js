// @ts-check
// Voices: read the phrase, see what was heard, make the voice, try it, withdraw the consent.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure, call, callJson } from '../api/client.js';
import { clock, locale, t } from '../i18n/index.js';
import { canRecord, Take } from '../sound/recorder.js';
import { about, announcement } from '../state/app.js';
import { consents, loadConsents, loadVoices, voices, wanted } from '../state/voices.js';
import { matches } from '../transcript/align.js';
import { dialog } from './dialogs.js';
import { failureBox } from './failure.js';
import { icon } from './icons.js';

/** @typedef {'consent' | 'sample' | 'try'} Step */

const step = signal(/** @type {Step} */ ('consent'));
const language = signal('en');
const name = signal('');
const consentId = signal('');
const madeVoice = signal('');
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<File | null>} */
const file = signal(null);
const heard = signal('');
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<Take | null>} */
const take = signal(null);
const seconds = signal(0);
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<ApiFailure | null>} */
const failed = signal(null);
const busy = signal(false);

export function voicesView() {
  wanted();
  return html`<h1>${t('voices.title')}</h1>
    <div class="two wide"><section class="sheet stack">${maker()}</section><aside>${own()}</aside></div>`;
}

const phrase = () => about.value?.consent_phrases[language.value] ?? '';

function maker() {
  const steps = /** @type {const} */ (['consent', 'sample', 'try']);
  return html`<h2>${t('voices.new')}</h2>
    <ol class="steps">${steps.map((one) => html`<li aria-current=${one === step.value ? 'step' : 'false'}>${t(`voices.step-${one}`)}</li>`)}</ol>
    ${step.value === 'consent' ? consentStep() : step.value === 'sample' ? sampleStep() : tryStep()}
    ${failed.value ? failureBox(failed.value) : nothing}`;
}

function consentStep() {
  const names = new Intl.DisplayNames(locale.value, { type: 'language' });
  const codes = Object.keys(about.value?.consent_phrases ?? { en: '' });
  return html`<label>${t('voices.language')} <select @change=${(/** @type {Event} */ event) => (language.value = /** @type {HTMLSelectElement} */ (event.target).value)}>
      ${codes.map((code) => html`<option value=${code} ?selected=${code === language.value}>${names.of(code)}</option>`)}</select></label>
    <p>${t('voices.read')}</p>
    <blockquote lang=${language.value}>${phrase()}</blockquote>
    ${recorder(true)} ${heardBox()} ${nameField()}
    <button class="main" ?disabled=${!ready()} @click=${() => void sendConsent()}>${t('voices.send')}</button>`;
}

function sampleStep() {
  return html`<p>${t('voices.sample-text')}</p> ${recorder(false)} ${nameField()}
    <button class="main" ?disabled=${!ready()} @click=${() => void sendSample()}>${t('voices.send')}</button>`;
}

function tryStep() {
  return html`<p>${t('voices.made', { name: name.value })}</p>
    <p class="row"><a class="button main" href="#/speak">${t('nav.speak')}</a>
      <button @click=${() => (step.value = 'consent')}>${t('voices.new')}</button></p>`;
}

const ready = () => Boolean(file.value && name.value.trim() && !busy.value && !take.value);

function nameField() {
  return html`<label>${t('voices.name')} <input maxlength="100" .value=${name.value}
    @input=${(/** @type {Event} */ event) => (name.value = /** @type {HTMLInputElement} */ (event.target).value)}></label>`;
}

/** @param {boolean} listen whether the take is transcribed, to show what was heard */
function recorder(listen) {
  const got = async (/** @type {File} */ taken) => {
    file.value = taken;
    heard.value = '';
    if (listen) await hear(taken);
  };
  const press = async () => {
    if (!take.value) return begin();
    const ended = take.value;
    take.value = null;
    await got(await ended.end());
  };
  const choose = (/** @type {Event} */ event) => {
    const chosen = /** @type {HTMLInputElement} */ (event.target).files?.[0];
    if (chosen) void got(chosen);
  };
  const label = take.value ? t('voices.recording', { seconds: clock(seconds.value) }) : t('voices.record');
  return html`<p class="row">
      ${
        canRecord()
          ? html`<button aria-pressed=${take.value !== null} @click=${() => void press()}>${icon(take.value ? 'square' : 'mic')} ${label}</button>`
          : html`<span class="quiet">${t('voices.no-microphone')}</span>`
      }
      <label class="button">${icon('file-audio')} ${t('voices.file')} <input class="unseen" type="file" accept="audio/*,video/*" @change=${choose}></label>
    </p>
    ${file.value ? html`<p class="quiet">${file.value.name}</p>` : nothing}`;
}

async function begin() {
  try {
    take.value = await Take.begin();
  } catch (wrong) {
    failed.value = new ApiFailure({ status: 0, message: String(/** @type {Error} */ (wrong).message) });
    return;
  }
  const timer = setInterval(() => {
    if (take.value) seconds.value = take.value.seconds;
    else clearInterval(timer);
  }, 250);
}

/** @param {File} taken */
async function hear(taken) {
  await attempt(async () => {
    const form = new FormData();
    form.append('model', 'whisper-1');
    form.append('language', language.value.slice(0, 2));
    form.append('file', taken);
    heard.value = (await callJson('audio/transcriptions', { method: 'POST', body: form })).text.trim();
  });
}

function heardBox() {
  if (!heard.value) return nothing;
  const expected = phrase().split(/\s+/);
  const said = heard.value.split(/\s+/);
  const plain = (/** @type {string[]} */ words) =>
    words.map((word) => word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, ''));
  const same = matches(plain(expected), plain(said));
  const missed = new Set(expected.keys());
  for (const old of same.values()) missed.delete(old);
  return html`<dl class="compared">
    <dt>${t('voices.heard')}</dt><dd>${said.map((word, index) => (same.has(index) ? html`${word} ` : html`<mark>${word}</mark> `))}</dd>
    <dt>${t('voices.expected')}</dt><dd>${expected.map((word, index) => (missed.has(index) ? html`<mark>${word}</mark> ` : html`${word} `))}</dd>
  </dl>`;
}

async function sendConsent() {
  await attempt(async () => {
    const form = new FormData();
    form.append('name', name.value.trim());
    form.append('language', language.value);
    form.append('recording', /** @type {File} */ (file.value));
    consentId.value = (await callJson('audio/voice_consents', { method: 'POST', body: form })).id;
    file.value = null;
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
    madeVoice.value = (await callJson('audio/voices', { method: 'POST', body: form })).id;
    file.value = null;
    step.value = 'try';
    announcement.value = t('voices.made', { name: name.value });
    await loadVoices();
  });
}

/** @param {() => Promise<void>} work */
async function attempt(work) {
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

function own() {
  const mine = (voices.value ?? []).filter((one) => one.custom);
  return html`<h2>${t('voices.title')}</h2>
    ${mine.length ? nothing : html`<p class="quiet">${t('voices.none')}</p>`}
    <ul class="voices">${mine.map((one) => row(one.name ?? one.id, () => askVoice(one)))}</ul>
    <h2>${t('voices.consents')}</h2>
    <ul class="voices">${(consents.value ?? []).map((one) => row(`${one.name} (${one.language})`, () => askConsent(one)))}</ul>`;
}

/** @param {string} label @param {() => void} remove */
function row(label, remove) {
  return html`<li class="row between">${label}
    <button class="plain" aria-label="${t('voices.delete')}: ${label}" @click=${remove}>${icon('trash-2')}</button></li>`;
}

/** @param {import('../state/voices.js').Voice} one */
function askVoice(one) {
  const text = t('voices.delete-voice', { name: one.name ?? one.id });
  const then = () =>
    void attempt(async () => {
      await call(`audio/voices/${one.id}`, { method: 'DELETE' });
      await loadVoices();
    });
  dialog.value = { kind: 'ask', text, yes: t('voices.delete'), then };
}

/** @param {import('../state/voices.js').Consent} one */
function askConsent(one) {
  const goes = (voices.value ?? [])
    .filter((other) => /** @type {any} */ (other).consent === one.id)
    .map((other) => other.name ?? other.id);
  const text = t('voices.delete-consent', { names: goes.join(', ') || '–' });
  const then = () =>
    void attempt(async () => {
      await call(`audio/voice_consents/${one.id}`, { method: 'DELETE' });
      await Promise.all([loadVoices(), loadConsents()]);
    });
  dialog.value = { kind: 'ask', text, yes: t('voices.delete'), then };
}
