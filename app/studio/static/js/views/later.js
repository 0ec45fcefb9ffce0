// @ts-check
// Modules that are loaded when they are first needed, so that the first view does not wait for them.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { t } from '../i18n/index.js';

/**
 * @template T
 * @typedef {import('../../vendor/signals-core/signals-core.mjs').Signal<T>} Signal
 */

/** `again`: some browsers keep in mind that an address could not be loaded, so each try has another one. */
const MODULES = /** @type {const} */ ({
  dialogs: (/** @type {string} */ again) => import(`./dialogs.js${again}`),
  live: (/** @type {string} */ again) => import(`./live.js${again}`),
  opened: (/** @type {string} */ again) => import(`./opened.js${again}`),
  server: (/** @type {string} */ again) => import(`./server.js${again}`),
  speak: (/** @type {string} */ again) => import(`./speak.js${again}`),
  voices: (/** @type {string} */ again) => import(`./voices.js${again}`),
});
/** @typedef {keyof typeof MODULES} Name */

/** @type {Signal<Record<string, any>>} */
const ready = signal({});
/** How often each could not be loaded. @type {Signal<Record<string, number>>} */
const failures = signal({});
/** @type {Set<string>} */
const loading = new Set();

/** @param {Name} name @returns {any} the module; undefined while it is loaded, or where it could not be */
export function later(name) {
  const there = ready.value[name];
  if (!there && !failures.value[name]) void load(name);
  return there;
}

/** @param {Name} name */
async function load(name) {
  if (loading.has(name)) return;
  loading.add(name);
  const before = failures.value[name] ?? 0;
  try {
    const loaded = await MODULES[name](before ? `?${before}` : '');
    ready.value = { ...ready.value, [name]: loaded };
  } catch {
    failures.value = { ...failures.value, [name]: before + 1 };
  } finally {
    loading.delete(name);
  }
}

/** Says that a module could not be loaded, and tries again. @param {Name} name */
export function unloaded(name) {
  if (ready.value[name] || !failures.value[name]) return nothing;
  return html`<div class="failure" role="alert"><p>${t('error.stale')}</p>
    <button data-next @click=${() => void load(name)}>${t('common.retry')}</button></div>`;
}
