// @ts-check
// The frame of every view: name, navigation, language, theme, dialogs, and the live region for screen readers.
import { html } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { LOCALES, locale, setLocale, t } from '../i18n/index.js';
import { about, announcement, LIVE_VIEW, route, setTheme, theme, VIEWS } from '../state/app.js';
import { dialogs } from './dialogs.js';
import { icon } from './icons.js';
import { transcribeView } from './transcribe.js';

/** The views that are loaded; the others are loaded when they are first opened. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<Record<string, () => unknown>>} */
const ready = signal({ transcribe: transcribeView });
/** @type {Record<string, () => Promise<() => unknown>>} */
const LATER = {
  speak: async () => (await import('./speak.js')).speakView,
  voices: async () => (await import('./voices.js')).voicesView,
  live: async () => (await import('./live.js')).liveView,
  server: async () => (await import('./server.js')).serverView,
};
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
      <div class="tools">${languages()} ${themes()}</div>
    </header>
    <main id="main" tabindex="-1" class="column view-${view}">${shown(view)}</main>
    ${dialogs()}
    <p class="unseen" role="status" aria-live="polite">${announcement.value}</p>
  `;
}

/** The views of the navigation. @param {string} view the one that is open */
const views = (view) => (about.value?.features.live || view === LIVE_VIEW ? [...VIEWS, LIVE_VIEW] : VIEWS);

/** @param {string} view */
function shown(view) {
  const draw = ready.value[view];
  if (draw) return draw();
  void LATER[view]()
    .catch(() => () => html`<h1>${t(`nav.${view}`)}</h1><p class="failure" role="alert">${t('error.stale')}</p>`)
    .then((loaded) => {
      ready.value = { ...ready.value, [view]: loaded };
    });
  return html`<h1>${t(`nav.${view}`)}</h1>`;
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
  const order = THEMES[systemIsDark.matches ? 'dark' : 'light'];
  const next = order[(order.indexOf(theme.value) + 1) % order.length];
  const label = t('nav.theme', { name: t(`theme.${theme.value}`) });
  return html`<button class="plain" aria-label=${label} title=${label} @click=${() => setTheme(next)}>
    ${icon(theme.value === 'dark' ? 'moon' : 'sun')}
  </button>`;
}
