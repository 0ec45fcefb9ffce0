// @ts-check
// Texts of the page in the user's language, with numbers and times by Intl.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { store, stored } from '../state/storage.js';
import en from './en.js';

export const LOCALES = { en: 'English', de: 'Deutsch', es: 'Español', fr: 'Français' };
const STORED = 'antiphon-locale';
/** @type {Record<string, string>} */
let texts = en;
/** The language of the page; changing it renders everything again. */
export const locale = signal('en');

/** Loads the stored language, or that in which the server sent the page. */
export async function loadLocale() {
  const chosen = stored('local', STORED) ?? '';
  const wanted = chosen in LOCALES ? chosen : document.documentElement.lang;
  if (wanted !== 'en' && wanted in LOCALES) await setLocale(wanted, false);
}

/** @param {string} code @param {boolean} [keep] */
export async function setLocale(code, keep = true) {
  texts = code === 'en' ? en : { ...en, ...(await import(`./${code}.js`)).default };
  if (keep) store('local', STORED, code);
  locale.value = code;
}

/**
 * The text of a key. `{name}` stands for a value; `{count|one file|# files}` for a plural, with a third form for
 * nothing where the language has one of its own: `{count|un mot|# mots|aucun mot}`.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export const t = (key, values = {}) => filled(texts[key] ?? key, values);

/**
 * The text of a key, cut at its backticks: every second part is a name of the server, like that of a setting.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export const parts = (key, values = {}) => (texts[key] ?? key).split('`').map((part) => filled(part, values));

/** @param {string} text @param {Record<string, string | number>} values */
function filled(text, values) {
  return text.replace(/\{(\w+)(?:\|([^|}]*)\|([^|}]*)(?:\|([^}]*))?)?\}/g, (_, name, one, other, none = other) => {
    const value = values[name] ?? '';
    if (one === undefined) return typeof value === 'number' ? number(value) : value;
    // Not by Intl.PluralRules: `one` is written for the number one, and French also takes 0 and 1.5 for singular.
    const count = Number(value);
    return (count === 1 ? one : count === 0 ? none : other).replace('#', number(count));
  });
}

/** @param {number} value @param {Intl.NumberFormatOptions} [options] */
export function number(value, options) {
  return new Intl.NumberFormat(locale.value, options).format(value);
}

/** @param {number} share 0..1 */
export const percent = (share) => number(share, { style: 'percent', maximumFractionDigits: 0 });

/** @param {number} bytes @param {'halfExpand' | 'floor' | 'ceil'} [roundingMode] a limit is rounded down, what is over one is rounded up */
export function size(bytes, roundingMode = 'halfExpand') {
  const units = /** @type {const} */ (['byte', 'kilobyte', 'megabyte', 'gigabyte']);
  const step = Math.min(3, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const maximumFractionDigits = step ? 1 : 0;
  return number(bytes / 1000 ** step, { style: 'unit', unit: units[step], maximumFractionDigits, roundingMode });
}

/** A limit of time in words, which is rounded down: "1.5 hours", "45 minutes". @param {number} seconds */
export function span(seconds) {
  const [value, unit] = seconds < 3600 ? [Math.floor(seconds / 60), 'minute'] : [seconds / 3600, 'hour'];
  const how = { style: 'unit', unit, unitDisplay: 'long', maximumFractionDigits: 1, roundingMode: 'floor' };
  return number(value, /** @type {Intl.NumberFormatOptions} */ (how));
}

/** Hours, minutes and seconds, as a clock shows them. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:` : ''}${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}
