// @ts-check
// The state that all views share: the current view, the API key, what the server says of itself, language and theme.
import { signal } from '../../vendor/signals-core/signals-core.mjs';

/**
 * @typedef {{version: string, limits: Record<string, number>, features: Record<string, unknown>,
 *   organisation: string, consent_phrases: Record<string, string>}} About
 * @typedef {{view: string, id: string}} Route
 * @typedef {{message: string, retry: () => void, refuse: () => void}} KeyWanted
 */

export const VIEWS = ['transcribe', 'speak', 'voices', 'server'];
/** Shown where the server has live sessions. */
export const LIVE_VIEW = 'live';
const TAB_KEY = 'antiphon-key';
const THEME_KEY = 'antiphon-theme';

/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<Route>} */
export const route = signal(parseRoute(location.hash));
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<About | null>} */
export const about = signal(null);
/** The API key: in memory, and in this tab's session storage if the user asks for it. Never in a URL, a cookie or an export. */
export const key = signal(sessionStorage.getItem(TAB_KEY) ?? '');
/** The 401 that the key dialog answers, and what to do once there is a key. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<KeyWanted | null>} */
export const keyWanted = signal(null);
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<string>} One polite line for screen readers. */
export const announcement = signal('');
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<'auto' | 'light' | 'dark'>} */
export const theme = signal(storedTheme());

/**
 * @param {string} hash
 * @returns {Route}
 */
export function parseRoute(hash) {
  const [view, id] = hash.replace(/^#\/?/, '').split('/');
  return { view: [...VIEWS, LIVE_VIEW].includes(view) ? view : 'transcribe', id: id ?? '' };
}

/** @param {string} value @param {boolean} forTab */
export function setKey(value, forTab) {
  key.value = value;
  if (forTab) sessionStorage.setItem(TAB_KEY, value);
  else sessionStorage.removeItem(TAB_KEY);
}

/** @param {'auto' | 'light' | 'dark'} value */
export function setTheme(value) {
  theme.value = value;
  localStorage.setItem(THEME_KEY, value);
}

function storedTheme() {
  const stored = localStorage.getItem(THEME_KEY);
  return stored === 'light' || stored === 'dark' ? stored : 'auto';
}
