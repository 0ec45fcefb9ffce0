// @ts-check
// An icon beside words; alone it needs a label on its button.
import { html } from '../../vendor/lit-html/lit-html.js';
import { PATHS } from './icon-paths.js';

/** @param {string} name */
export function icon(name) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">${PATHS[name]}</svg>`;
}
