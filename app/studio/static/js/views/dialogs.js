// @ts-check
// Dialogs: for the API key, the code of a request, the keyboard shortcuts, and a question. Closing one gives the focus back.

import { ref } from '../../vendor/lit-html/directives/ref.js';
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { t } from '../i18n/index.js';
import * as player from '../sound/player.js';
import { dialog, key, keyChanges, keyWanted, route, setKey } from '../state/app.js';
import { lacksSound, reattach, recording, resembles } from '../state/recordings.js';
import { callBox } from './call.js';
import { icon } from './pieces.js';

/**
 * @typedef {{label: string, choices: ReadonlyArray<{name: string, take: () => void}>}} Group
 * @typedef {{kind: 'call', call: import('./call.js').Call} | {kind: 'keys'} | {kind: 'ask', text: string, yes: string, then: () => void}
 *   | {kind: 'choose', text: string, groups: readonly Group[]}} Dialog
 */

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
  ['Esc', 'escape'],
  ['?', 'help'],
];
/** A file that was chosen and is another one. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<File | null>} */
const other = signal(null);
/** What had the focus before the dialog. @type {Element | null} */
let opener = null;

export function dialogs() {
  if (keyWanted.value) return modal(keyDialog(keyWanted.value), keyWanted.value.refuse);
  const silent = player.missing.value < 0 ? undefined : recording(route.value.id);
  if (silent && lacksSound(silent)) return modal(soundDialog(silent), forgetSound);
  const open = dialog.value;
  if (!open) return nothing;
  const close = () => {
    dialog.value = null;
  };
  if (open.kind === 'call') return modal(html`${callBox(open.call)} ${closeButton(close)}`, close);
  if (open.kind === 'keys') return modal(html`${keyList()} ${closeButton(close)}`, close);
  if (open.kind === 'choose') return modal(html`${choices(open, close)} ${closeButton(close)}`, close);
  return modal(question(open, close), close);
}

/** @param {{text: string, yes: string, then: () => void}} open @param {() => void} close */
function question(open, close) {
  const yes = () => {
    close();
    open.then();
  };
  return html`<h2 id="dialog-title">${open.text}</h2>
    <p class="row"><button class="main" @click=${yes}>${open.yes}</button>
    <button autofocus @click=${close}>${t('common.cancel')}</button></p>`;
}

/**
 * One of some people. Not a `select`: the first arrow key on a closed one would already do its first choice.
 * @param {{text: string, groups: readonly Group[]}} open @param {() => void} close
 */
function choices(open, close) {
  const pick = (/** @type {() => void} */ take) => () => {
    close();
    take();
  };
  return html`<h2 id="dialog-title" dir="auto">${open.text}</h2>
    ${open.groups.map(
      (group) => html`<div role="group" aria-label=${group.label}><p class="quiet" dir="auto">${group.label}</p>
        <p class="row">${group.choices.map((one) => html`<button dir="auto" @click=${pick(one.take)}>${one.name}</button>`)}</p></div>`,
    )}`;
}

/** @param {unknown} content @param {() => void} close */
function modal(content, close) {
  return html`<dialog aria-labelledby="dialog-title" ${ref(shown)} @close=${close}>${content}</dialog>`;
}

/** Opens a dialog when its element is rendered, and gives the focus back when it is removed. @param {Element | undefined} element */
function shown(element) {
  if (element instanceof HTMLDialogElement && !element.open) {
    // A ref is called before its element is in the document, where a dialog cannot be shown.
    queueMicrotask(() => {
      if (!element.isConnected || element.open) return;
      opener = document.activeElement;
      element.showModal();
    });
  } else if (!element) {
    const before = opener;
    // After the rendering, because the answer may have removed the button that opened the dialog.
    queueMicrotask(() => {
      if (document.querySelector('dialog[open]')) return;
      const target = before?.isConnected && before !== document.body ? before : document.getElementById('main');
      if (target instanceof HTMLElement) target.focus();
    });
  }
}

/** @param {() => void} close */
const closeButton = (close) => html`<p><button @click=${close}>${t('common.close')}</button></p>`;

/** @param {import('../state/app.js').KeyWanted} wanted */
function keyDialog(wanted) {
  const use = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    changed(String(form.get('key')).trim(), form.get('tab') === 'on');
    wanted.retry();
  };
  const changed = (/** @type {string} */ value, /** @type {boolean} */ forTab) => {
    setKey(value, forTab);
    keyWanted.value = null;
    if (wanted.another) keyChanges.value += 1;
  };
  return html`<h2 id="dialog-title">${t(wanted.another ? 'key.another' : 'key.title')}</h2>
    <p dir="auto">${wanted.message}</p>
    <form @submit=${use} class="stack">
      <input type="text" autocomplete="username" .value=${location.host} hidden>
      <label>${t('key.label')} <input type="password" name="key" autocomplete="current-password" required autofocus></label>
      <label class="row"><input type="checkbox" name="tab"> ${t('key.tab')}</label>
      <p class="row"><button class="main">${t('key.use')}</button>
        ${wanted.another && key.value ? html`<button type="button" @click=${() => changed('', false)}>${t('key.forget')}</button>` : nothing}
        <button type="button" @click=${wanted.refuse}>${t('common.cancel')}</button></p>
    </form>`;
}

function forgetSound() {
  player.missing.value = -1;
  other.value = null;
}

/** The sound is not kept: whoever wants to hear it chooses the file again. @param {import('../state/recordings.js').Recording} one */
function soundDialog(one) {
  const use = (/** @type {File | null | undefined} */ file, /** @type {boolean} */ copy) => {
    if (!file) return;
    other.value = reattach(one, file, copy) ? null : file;
    if (other.value) return;
    player.open(file);
    player.seek(player.missing.value, true);
    forgetSound();
  };
  const choose = (/** @type {Event} */ event) => use(/** @type {HTMLInputElement} */ (event.target).files?.[0], false);
  const copy = other.value && resembles(one, other.value);
  return html`<h2 id="dialog-title">${t('sound.title')}</h2>
    <p dir="auto">${t('sound.tells', { name: one.name })}</p>
    ${other.value ? html`<p class="failure" role="alert" dir="auto">${t(copy ? 'sound.copy' : 'sound.other', { name: other.value.name })}</p>` : nothing}
    ${copy ? html`<p><button @click=${() => use(other.value, true)}>${t('sound.use')}</button></p>` : nothing}
    <p class="row"><label class="button main">${icon('file-audio')} ${t('drop.choose')}
      <input class="unseen" type="file" autofocus @change=${choose}></label>
      <button @click=${forgetSound}>${t('common.cancel')}</button></p>`;
}

function keyList() {
  return html`<h2 id="dialog-title">${t('keys.title')}</h2>
    <p class="quiet">${t('keys.where')}</p>
    <dl class="keys">${KEYS.map(([keys, name]) => html`<dt><kbd>${keys}</kbd></dt><dd>${t(`keys.${name}`)}</dd>`)}</dl>`;
}
