// @ts-check
// The frame of every view: name, navigation, language, theme, dialogs, and the live region for screen readers.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { LOCALES, locale, setLocale, t } from '../i18n/index.js';
import { missing } from '../sound/player.js';
import {
  about,
  announcement,
  changeKey,
  dialog,
  key,
  keyWanted,
  LIVE_VIEW,
  route,
  setTheme,
  theme,
  VIEWS,
} from '../state/app.js';
import { later, unloaded } from './later.js';
import { icon } from './pieces.js';
import { transcribeView } from './transcribe.js';

/** The views that are loaded when they are first opened, and the name of what draws them. */
const LATER = /** @type {const} */ ({
  speak: 'speakView',
  voices: 'voicesView',
  live: 'liveView',
  server: 'serverView',
});
/** In an order in which each press but the last changes what is seen. */
const THEMES = /** @type {const} */ ({ light: ['auto', 'dark', 'light'], dark: ['auto', 'light', 'dark'] });
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

export function shell() {
  const { view } = route.value;
  return html`
    <header class="top">
      <a class="name" href="#/transcribe">Antiphon</a>
      <nav aria-label=${t('nav.label')}>
        ${views(view).map(
          (name) => html`<a href="#/${name}" aria-current=${name === view ? 'page' : 'false'}>${t(`nav.${name}`)}</a>`,
        )}
      </nav>
      <div class="tools">${keys()} ${languages()} ${themes()}</div>
    </header>
    <main id="main" tabindex="-1" class="column view-${view}">${shown(view)}</main>
    ${dialogs()}
    <p class="unseen" role="status" aria-live="polite">${announcement.value}</p>
  `;
}

/** The views of the navigation. @param {string} view the one that is open */
function views(view) {
  // It is there until the server says that it has none, so that the navigation does not move when it says what it has.
  const live = about.value?.features.live ?? true;
  return live || view === LIVE_VIEW ? [...VIEWS, LIVE_VIEW] : VIEWS;
}

/** @param {string} view */
function shown(view) {
  if (view === 'transcribe') return transcribeView();
  const name = /** @type {keyof typeof LATER} */ (view);
  return later(name)?.[LATER[name]]() ?? html`<h1>${t(`nav.${view}`)}</h1>${unloaded(name)}`;
}

function dialogs() {
  if (!keyWanted.value && !dialog.value && missing.value < 0) return nothing;
  return later('dialogs')?.dialogs() ?? unloaded('dialogs');
}

function languages() {
  const choose = (/** @type {Event} */ event) => {
    const field = /** @type {HTMLSelectElement} */ (event.target);
    setLocale(field.value).catch(() => {
      field.value = locale.value; // the server cannot be reached: the page keeps its language
    });
  };
  return html`<select data-first="language" aria-label=${t('nav.language')} autocomplete="off" @change=${choose}>
    ${Object.entries(LOCALES).map(
      ([code, name]) => html`<option value=${code} ?selected=${code === locale.value} lang=${code}>${name}</option>`,
    )}
  </select>`;
}

/** Another key, or none any more; where there is none, the server asks for one. */
function keys() {
  if (!key.value) return nothing;
  const ask = () => changeKey(t('key.tells'));
  return html`<button class="plain" aria-label=${t('key.change')} title=${t('key.change')} @click=${ask}>${icon('key')}</button>`;
}

function themes() {
  const order = THEMES[systemIsDark.matches ? 'dark' : 'light'];
  const next = order[(order.indexOf(theme.value) + 1) % order.length];
  const label = t('nav.theme', { name: t(`theme.${theme.value}`) });
  return html`<button class="plain" data-first="theme" aria-label=${label} title=${label} @click=${() => setTheme(next)}>
    ${icon(theme.value === 'dark' ? 'moon' : 'sun')}
  </button>`;
}
