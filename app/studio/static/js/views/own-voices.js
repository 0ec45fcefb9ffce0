// @ts-check
// Consents and the voices that rest on them: seen, used again, taken back.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { call } from '../api/client.js';
import { percent, t } from '../i18n/index.js';
import { dialog } from '../state/app.js';
import { consents, load, loadConsents, loadVoices, unloaded, voices } from '../state/voices.js';
import { failureBox } from './failure.js';
import { icon } from './pieces.js';
import { languageName } from './voice-list.js';

/**
 * @typedef {import('../state/voices.js').Voice} Voice
 * @typedef {import('../state/voices.js').Consent} Consent
 * @typedef {(work: () => Promise<void>) => Promise<void>} Attempt
 */

/** @param {Attempt} attempt shows what goes wrong @param {(id: string) => void} use makes another voice with a consent */
export function ownVoices(attempt, use) {
  const mine = (voices.value ?? []).filter((one) => one.custom);
  const given = consents.value ?? [];
  return html`<h2>${t('voices.title')}</h2>
    ${unloaded.value ? failureBox(unloaded.value, () => void load()) : mine.length ? nothing : html`<p class="quiet">${t('voices.none')}</p>`}
    <ul class="voices">${mine.map((one) => row(nameOf(one), matched(one), nothing, 'voices.remove-voice', () => askVoice(one, attempt)))}</ul>
    <h2>${t('voices.consents')}</h2>
    ${given.length ? nothing : html`<p class="quiet">${t('voices.none')}</p>`}
    <ul class="voices">${given.map((one) => {
      const again = html`<button class="plain link" @click=${() => use(one.id)}>${t('voices.use')}</button>`;
      return row(one.name, languageName(one.language), again, 'voices.remove-consent', () => askConsent(one, attempt));
    })}</ul>`;
}

/** @param {Voice} one */
const nameOf = (one) => one.name ?? one.id;

/** @param {Voice} one */
const matched = ({ matched_voice: voice, similarity }) =>
  voice ? t('voices.matched', { voice, share: percent(similarity ?? 0) }) : '';

/** @param {string} label @param {string} facts @param {unknown} more @param {string} means key of the button's text @param {() => void} remove */
function row(label, facts, more, means, remove) {
  const text = t(means, { name: label });
  return html`<li class="row between"><span class="grow"><strong dir="auto">${label}</strong> <span class="quiet">${facts}</span> ${more}</span>
    <button class="plain" aria-label=${text} title=${text} @click=${remove}>${icon('trash-2')}</button></li>`;
}

/** @param {Voice} one @param {Attempt} attempt */
function askVoice(one, attempt) {
  const then = () =>
    void attempt(async () => {
      await call(`audio/voices/${one.id}`, { method: 'DELETE' });
      await loadVoices();
    });
  dialog.value = {
    kind: 'ask',
    text: t('voices.delete-voice', { name: nameOf(one) }),
    yes: t('voices.delete'),
    then,
  };
}

/** @param {Consent} one @param {Attempt} attempt */
function askConsent(one, attempt) {
  const goes = (voices.value ?? []).filter((other) => other.consent === one.id).map(nameOf);
  const text = goes.length ? t('voices.delete-consent', { names: goes.join(', ') }) : t('voices.delete-unused');
  const then = () =>
    void attempt(async () => {
      await call(`audio/voice_consents/${one.id}`, { method: 'DELETE' });
      await Promise.all([loadVoices(), loadConsents()]);
    });
  dialog.value = { kind: 'ask', text, yes: t('voices.delete'), then };
}
