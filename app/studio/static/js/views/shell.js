// @ts-check
// Around every view: name, navigation, language, theme, dialogs, and the line for screen readers.
import { html } from '../../vendor/lit-html/lit-html.js';
import { LOCALES, locale, setLocale, t } from '../i18n/index.js';
import { announcement, route, setTheme, theme, VIEWS } from '../state/app.js';
import { dialogs } from './dialogs.js';
import { icon } from './icons.js';
import { playerBar } from './player.js';
import { serverView } from './server.js';
import { speakView } from './speak.js';
import { transcribeView } from './transcribe.js';
import { voicesView } from './voices.js';

/** @type {Record<string, () => unknown>} */
const VIEW = { transcribe: transcribeView, speak: speakView, voices: voicesView, server: serverView };
const THEMES = /** @type {const} */ (['auto', 'light', 'dark']);

export function shell() {
  const { view } = route.value;
  return html`
    <header class="top">
      <a class="name" href="#/transcribe">Antiphon</a>
      <nav aria-label=${t('nav.label')}>
        ${VIEWS.map(
          (name) => html`<a href="#/${name}" aria-current=${name === view ? 'page' : 'false'}>${t(`nav.${name}`)}</a>`,
        )}
      </nav>
      <div class="tools">${languages()} ${themes()}</div>
    </header>
    <main id="main" tabindex="-1" class="column view-${view}">${VIEW[view]()}</main>
    ${playerBar()} ${dialogs()}
    <p class="unseen" role="status" aria-live="polite">${announcement.value}</p>
  `;
}

function languages() {
  const choose = (/** @type {Event} */ event) => void setLocale(/** @type {HTMLSelectElement} */ (event.target).value);
  return html`<select aria-label=${t('nav.language')} @change=${choose}>
    ${Object.entries(LOCALES).map(
      ([code, name]) => html`<option value=${code} ?selected=${code === locale.value} lang=${code}>${name}</option>`,
    )}
  </select>`;
}

function themes() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  const label = t('nav.theme', { name: t(`theme.${theme.value}`) });
  return html`<button class="plain" aria-label=${label} title=${label} @click=${() => setTheme(next)}>
    ${icon(theme.value === 'dark' ? 'moon' : 'sun')}
  </button>`;
}
