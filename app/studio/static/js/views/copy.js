// @ts-check
// A button that copies a text and says so.
import { html } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { t } from '../i18n/index.js';
import { announcement } from '../state/app.js';
import { icon } from './pieces.js';

/** What was copied last. */
const copied = signal('');

/** @param {string} text */
export function copyButton(text) {
  const copy = async () => {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copySelected(text);
    copied.value = text;
    announcement.value = t('common.copied');
  };
  const done = copied.value === text;
  return html`<button @click=${copy}>${icon(done ? 'check' : 'copy')} ${t(done ? 'common.copied' : 'common.copy')}</button>`;
}

/** Over plain http from another machine browsers give no clipboard; what is selected can be copied all the same. @param {string} text */
function copySelected(text) {
  const field = document.createElement('textarea');
  field.value = text;
  (document.querySelector('dialog[open]') ?? document.body).append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}

/** Saves a file. @param {Blob} blob @param {string} name */
export function saveFile(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
