// @ts-check
// The state that all views share: the current view, the API key, what the server says of itself, language and theme.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { store, stored } from './storage.js';

/**
 * @typedef {{version: string, limits: Record<string, number>, features: Record<string, unknown>,
 *   organisation: string, consent_phrases: Record<string, string>}} About
 * @typedef {{view: string, id: string}} Route
 * @typedef {{message: string, retry: () => void, refuse: () => void, another?: boolean}} KeyWanted `another`: the user wants to change
 *   the key, or to forget it
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
/** Why the server told nothing of itself. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<import('../api/client.js').ApiFailure | null>} */
export const untold = signal(null);
/** The API key: in memory, and in this tab's session storage if the user asks for it. Never in a URL, a cookie or an export. */
export const key = signal(stored('session', TAB_KEY) ?? '');
/** How often the user has changed the key; what was fetched with the one before is fetched anew. */
export const keyChanges = signal(0);
/** Why the key dialog is open, and what to do once there is a key. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<KeyWanted | null>} */
export const keyWanted = signal(null);
/** The dialog that is open, besides those for a key and for a sound that is missing. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<import('../views/dialogs.js').Dialog | null>} */
export const dialog = signal(null);
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
  store('session', TAB_KEY, forTab ? value : null);
}

/** The user may give another key, or have this one forgotten. @param {string} message why @param {() => void} [then] what to do with another one */
export function changeKey(message, then = () => undefined) {
  const close = () => {
    keyWanted.value = null;
  };
  keyWanted.value = { message, retry: then, refuse: close, another: true };
}

/** @param {'auto' | 'light' | 'dark'} value */
export function setTheme(value) {
  theme.value = value;
  store('local', THEME_KEY, value);
}

function storedTheme() {
  const value = stored('local', THEME_KEY);
  return value === 'light' || value === 'dark' ? value : 'auto';
}
