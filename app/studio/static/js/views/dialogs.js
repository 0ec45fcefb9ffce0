// @ts-check
// Dialogs: the key, the call, the keys of the keyboard, a question. Closing one gives the focus back (the
// browser's own <dialog> does that).

import { ref } from '../../vendor/lit-html/directives/ref.js';
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { t } from '../i18n/index.js';
import { keyWanted, setKey } from '../state/app.js';
import { callBox } from './call.js';

/** @typedef {{kind: 'call', call: import('./call.js').Call} | {kind: 'keys'} | {kind: 'ask', text: string, yes: string, then: () => void}} Dialog */
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<Dialog | null>} */
export const dialog = signal(null);

const KEYS = [
  ['Space', 'space'],
  ['J L', 'jl'],
  ['← → ↑ ↓', 'arrows'],
  ['Enter', 'enter'],
  ['E', 'e'],
  ['Ctrl+Enter', 'split'],
  ['Backspace', 'join'],
  ['1–9', 'digits'],
  ['[ ]', 'speed'],
  ['Ctrl+Z', 'undo'],
  ['?', 'help'],
];

export function dialogs() {
  if (keyWanted.value) return modal(keyDialog(keyWanted.value), () => undefined);
  const open = dialog.value;
  if (!open) return nothing;
  const close = () => {
    dialog.value = null;
  };
  if (open.kind === 'call') return modal(html`${callBox(open.call)} ${closeButton(close)}`, close);
  if (open.kind === 'keys') return modal(html`${keyList()} ${closeButton(close)}`, close);
  const yes = () => {
    close();
    open.then();
  };
  return modal(
    html`<p>${open.text}</p>
      <p class="row"><button class="main" @click=${yes}>${open.yes}</button>
      <button @click=${close}>${t('common.cancel')}</button></p>`,
    close,
  );
}

/** @param {unknown} content @param {() => void} close */
function modal(content, close) {
  const show = (/** @type {Element | undefined} */ element) => {
    // A ref is called before its element is in the document, where a dialog cannot be shown.
    queueMicrotask(() => {
      if (element instanceof HTMLDialogElement && element.isConnected && !element.open) element.showModal();
    });
  };
  return html`<dialog ${ref(show)} @close=${close}>${content}</dialog>`;
}

/** @param {() => void} close */
const closeButton = (close) => html`<p><button @click=${close}>${t('common.close')}</button></p>`;

/** @param {{message: string, retry: () => void}} wanted */
function keyDialog(wanted) {
  const use = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    setKey(String(form.get('key')).trim(), form.get('tab') === 'on');
    keyWanted.value = null;
    wanted.retry();
  };
  return html`<h2>${t('key.title')}</h2>
    <p>${wanted.message}</p>
    <form @submit=${use} class="stack">
      <label>${t('key.label')} <input type="password" name="key" autocomplete="current-password" required></label>
      <label class="row"><input type="checkbox" name="tab"> ${t('key.tab')}</label>
      <button class="main">${t('key.use')}</button>
    </form>`;
}

function keyList() {
  return html`<h2>${t('keys.title')}</h2>
    <dl class="keys">${KEYS.map(([keys, name]) => html`<dt><kbd>${keys}</kbd></dt><dd>${t(`keys.${name}`)}</dd>`)}</dl>`;
}
