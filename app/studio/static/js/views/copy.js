// @ts-check
// A button that copies a text and says so.
import { html } from '../../vendor/lit-html/lit-html.js';
import { t } from '../i18n/index.js';
import { announcement } from '../state/app.js';
import { icon } from './icons.js';

/** @param {string} text */
export function copyButton(text) {
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    announcement.value = t('common.copied');
  };
  return html`<button @click=${copy}>${icon('copy')} ${t('common.copy')}</button>`;
}

/** Saves a file. @param {Blob} blob @param {string} name */
export function saveFile(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
