// @ts-check
// The voices: own ones first, found by search and language, each with a sample in its own language.
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { locale, t } from '../i18n/index.js';
import { compared, DEFAULT_VOICE, load, unloaded, voice, voices } from '../state/voices.js';
import { failureBox } from './failure.js';
import { icon } from './pieces.js';

/** @typedef {import('../state/voices.js').Voice} Voice */

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

const search = signal('');
const language = signal('');

/** @param {(voice: string, text: string) => void} hear */
export function voiceList(hear) {
  const all = voices.value ?? [];
  const languages = [...new Set(all.map((one) => one.language?.slice(0, 2) ?? ''))].filter(Boolean).sort();
  const found = all.filter(matches).sort((a, b) => rank(a) - rank(b));
  const typed = (/** @type {Event} */ event) => {
    search.value = /** @type {HTMLInputElement} */ (event.target).value;
  };
  const chosen = (/** @type {Event} */ event) => {
    language.value = /** @type {HTMLSelectElement} */ (event.target).value;
  };
  return html`<h2 class="unseen">${t('nav.voices')}</h2>
    <div class="row finding">
      <input type="search" aria-label=${t('speak.search')} placeholder=${t('speak.search')} .value=${search.value} @input=${typed}>
      <select aria-label=${t('speak.all-languages')} @change=${chosen}>
        <option value="">${t('speak.all-languages')}</option>
        ${languages.map((code) => html`<option value=${code} ?selected=${code === language.value}>${languageName(code)}</option>`)}
      </select>
    </div>
    ${unloaded.value ? failureBox(unloaded.value, () => void load()) : nothing}
    <p class="quiet" role="status">${t('speak.voices', { count: found.length })} · ${t('speak.tick')}</p>
    <ul class="voices">${repeat(
      found,
      (one) => one.id,
      (one) => voiceRow(one, hear),
    )}</ul>`;
}

/** Own voices come first, then the one that speaks at first. @param {Voice} one */
const rank = (one) => (one.custom ? 0 : one.id === DEFAULT_VOICE ? 1 : 2);

/** @param {Voice} one */
function matches(one) {
  const spoken = one.language ? languageName(one.language) : '';
  const text = `${one.id} ${one.name ?? ''} ${genderOf(one)} ${one.language ?? ''} ${spoken}`.toLowerCase();
  return (!language.value || one.language?.startsWith(language.value)) && text.includes(search.value.toLowerCase());
}

/** @param {string} code */
export const languageName = (code) => new Intl.DisplayNames(locale.value, { type: 'language' }).of(code) ?? code;

/** What the user calls a voice: own ones have names of their own. @param {string} id */
export const nameOfVoice = (id) => voices.value?.find((one) => one.id === id)?.name ?? id;

/** @param {Voice} one */
const genderOf = (one) => (one.gender === 'female' || one.gender === 'male' ? t(`gender.${one.gender}`) : '');

/** @param {Voice} one @param {(voice: string, text: string) => void} hear */
function voiceRow(one, hear) {
  const name = one.name ?? one.id;
  const compare = (/** @type {Event} */ event) => {
    const others = compared.value.filter((id) => id !== one.id);
    const on = /** @type {HTMLInputElement} */ (event.target).checked;
    compared.value = on ? [...others, one.id].slice(-MOST_COMPARED) : others;
  };
  const pick = () => {
    voice.value = one.id;
  };
  const sample = () => hear(one.id, SAMPLES[one.language?.slice(0, 2) ?? 'en'] ?? SAMPLES.en);
  const facts = one.custom
    ? t('speak.own')
    : [genderOf(one), one.language && languageName(one.language)].filter(Boolean).join(', ');
  return html`<li class="voice">
    <label><input type="radio" name="voice" .checked=${one.id === voice.value} @change=${pick}>
      <span><span dir="auto">${name}</span> <span class="quiet">${facts}</span></span></label>
    <input type="checkbox" aria-label=${t('speak.pick-compare', { name })} title=${t('speak.pick-compare', { name })}
      .checked=${compared.value.includes(one.id)} @change=${compare}>
    <button class="plain" aria-label=${t('speak.sample', { name })} @click=${sample}>${icon('play')}</button>
  </li>`;
}
