// @ts-check
// A text of the page in which names of settings and commands are shown as code.
import { html } from '../../vendor/lit-html/lit-html.js';
import { parts } from '../i18n/index.js';

/** @param {string} key @param {Record<string, string | number>} [values] */
export const rich = (key, values) =>
  parts(key, values).map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));
