// @ts-check
// The options of a transcription, before the recording is sent.
import { html } from '../../vendor/lit-html/lit-html.js';
import { locale, t } from '../i18n/index.js';
import { about } from '../state/app.js';
import { options } from '../state/recordings.js';
import { rich } from './pieces.js';

const LANGUAGES = 'en de es fr it pt nl pl ru uk tr ar hi zh ja ko sv da nb fi cs el he hu ro'.split(' ');

export function optionsBox() {
  const told = about.value?.features.diarization;
  const cannot = told === false;
  const chosen = options.value;
  const change = (/** @type {Event} */ event) => {
    const field = /** @type {HTMLInputElement | HTMLSelectElement} */ (event.target);
    const value = field instanceof HTMLInputElement && field.type === 'checkbox' ? field.checked : field.value;
    options.value = { ...options.value, [field.name]: value };
  };
  const names = new Intl.DisplayNames(locale.value, { type: 'language' });
  return html`<details class="options" data-first="options"><summary>${t('options.title')}</summary>
    <div class="stack" @change=${change}>
      <label class="row"><input type="checkbox" name="speakers" .checked=${chosen.speakers && !cannot} ?disabled=${cannot}>
        ${t('options.speakers')}</label>
      ${cannot ? html`<p class="quiet">${rich('options.no-speakers')}</p>` : ''}
      <label>${t('options.count')} <input type="number" name="count" min="1" max="20" .value=${chosen.count}></label>
      <label>${t('options.language')}
        <select name="language"><option value="">${t('options.detect')}</option>
          ${LANGUAGES.map((code) => html`<option value=${code} ?selected=${code === chosen.language}>${names.of(code)}</option>`)}
        </select></label>
      <label>${t('options.words')} <input name="words" .value=${chosen.words} autocomplete="off"></label>
    </div></details>`;
}
