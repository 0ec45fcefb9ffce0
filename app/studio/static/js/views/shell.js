// @ts-check
// The frame of every view: name, navigation, language, theme, dialogs, and the live region for screen readers.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { LOCALES, locale, setLocale, t } from '../i18n/index.js';
import { about, announcement, changeKey, key, LIVE_VIEW, route, setTheme, theme, untold, VIEWS } from '../state/app.js';
import { dialogs } from './dialogs.js';
import { icon } from './icons.js';
import { transcribeView } from './transcribe.js';

/** The views that are loaded; the others are loaded when they are first opened. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<Record<string, () => unknown>>} */
const ready = signal({ transcribe: transcribeView });
/** @type {Record<string, (again: string) => Promise<() => unknown>>} */
const LATER = {
  speak: async (again) => (await import(`./speak.js${again}`)).speakView,
  voices: async (again) => (await import(`./voices.js${again}`)).voicesView,
  live: async (again) => (await import(`./live.js${again}`)).liveView,
  server: async (again) => (await import(`./server.js${again}`)).serverView,
};
/** How often each view could not be loaded. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<Record<string, number>>} */
const failures = signal({});
/** @type {Set<string>} */
const loading = new Set();
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
  // Where the server told nothing of itself, the view says so.
  const live = about.value ? about.value.features.live : untold.value;
  return live || view === LIVE_VIEW ? [...VIEWS, LIVE_VIEW] : VIEWS;
}

/** @param {string} view */
function shown(view) {
  const draw = ready.value[view];
  if (draw) return draw();
  if (!failures.value[view]) void load(view);
  else
    return html`<h1>${t(`nav.${view}`)}</h1><div class="failure" role="alert"><p>${t('error.stale')}</p>
      <button data-next @click=${() => void load(view)}>${t('common.retry')}</button></div>`;
  return html`<h1>${t(`nav.${view}`)}</h1>`;
}

/** @param {string} view */
async function load(view) {
  if (loading.has(view)) return;
  loading.add(view);
  const before = failures.value[view] ?? 0;
  try {
    // Some browsers keep in mind that an address could not be loaded: each try has another one.
    const loaded = await LATER[view](before ? `?${before}` : '');
    ready.value = { ...ready.value, [view]: loaded };
  } catch {
    failures.value = { ...failures.value, [view]: before + 1 };
  } finally {
    loading.delete(view);
  }
}

function languages() {
  const choose = (/** @type {Event} */ event) => {
    const field = /** @type {HTMLSelectElement} */ (event.target);
    setLocale(field.value).catch(() => {
      field.value = locale.value; // the server cannot be reached: the page keeps its language
    });
  };
  return html`<select aria-label=${t('nav.language')} @change=${choose}>
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
  return html`<button class="plain" aria-label=${label} title=${label} @click=${() => setTheme(next)}>
    ${icon(theme.value === 'dark' ? 'moon' : 'sun')}
  </button>`;
}
