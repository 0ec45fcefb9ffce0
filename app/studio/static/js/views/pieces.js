// @ts-check
// Small pieces of templates: an icon, and a text in which names are code.
import { html } from '../../vendor/lit-html/lit-html.js';
import { parts } from '../i18n/index.js';
import { PATHS } from './icon-paths.js';

/** An icon beside words; alone it needs a label on its button. @param {string} name */
export function icon(name) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${PATHS[name]}</svg>`;
}

/** A text of the page in which names of settings and commands are shown as code. @param {string} key @param {Record<string, string | number>} [values] */
export const rich = (key, values) =>
  parts(key, values).map((part, index) => (index % 2 ? html`<code>${part}</code>` : part));
