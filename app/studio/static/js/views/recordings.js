// @ts-check
// The list of recordings, and what this browser keeps of them.
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { clock, percent, t } from '../i18n/index.js';
import { dialog, route } from '../state/app.js';
import { keep, setKeep, unkept } from '../state/kept.js';
import { forget, forgetAll } from '../state/library.js';
import { recordings } from '../state/recordings.js';
import { icon } from './pieces.js';

/** @typedef {import('../state/recordings.js').Recording} Recording */

/** @param {unknown} adding the button that adds one */
export function recordingList(adding) {
  return html`<nav class="list" aria-label=${t('list.title')}>
    <div class="row between"><h2>${t('list.title')}</h2> ${adding}</div>
    <ul>${repeat(recordings.value, (one) => one.id, listed)}</ul>
    ${kept()}
  </nav>`;
}

/** @param {Recording} one */
function listed(one) {
  const open = one.id === route.value.id;
  return html`<li>
    <a href="#/transcribe/${one.id}" aria-current=${open ? 'true' : 'false'} title=${one.name} dir="auto">${one.name}</a>
    ${badge(one)}
    <button class="plain" aria-label="${t('list.forget')}: ${one.name}" title=${t('list.forget')} @click=${() => ask(one)}>${icon('x')}</button>
  </li>`;
}

/** @param {Recording} one */
function badge(one) {
  const { phase, sent, seconds, expected } = one.progress.value;
  if (phase === 'sending') return html`<span class="quiet">${percent(sent)}</span>`;
  if (phase === 'listening')
    return html`<span class="quiet">${percent(expected ? Math.min(1, seconds / expected) : 0)}</span>`;
  if (phase === 'waiting' || phase === 'queued') return html`<span class="quiet">${t('list.waiting')}</span>`;
  if (phase === 'done') return html`<span class="quiet">${clock(Math.max(seconds, expected))}</span>`;
  if (phase === 'elsewhere') return html`<span class="quiet">${t('list.elsewhere')}</span>`;
  return html`<span class="quiet warned">${t(`list.${phase}`)}</span>`;
}

/** @param {Recording} one */
function ask(one) {
  const then = () => {
    if (route.value.id === one.id) location.hash = '#/transcribe';
    void forget(one);
  };
  if (!one.transcript.value.turns.length) return then();
  dialog.value = { kind: 'ask', text: t('list.ask', { name: one.name }), yes: t('list.forget'), then };
}

function kept() {
  const any = recordings.value.some((one) => one.transcript.value.turns.length);
  if (!keep.value) {
    return html`<p class="quiet">${t('kept.off')} <button class="plain link" @click=${() => void setKeep(true)}>${t('kept.again')}</button></p>`;
  }
  if (!any) return nothing;
  if (unkept.value) return html`<p class="failure" role="alert">${t('kept.full')}</p>`;
  return html`<p class="quiet">${t('kept.notice')}<br>
    <button class="plain link" @click=${askAll}>${t('kept.forget')}</button>
    <button class="plain link" @click=${() => void setKeep(false)}>${t('kept.never')}</button></p>`;
}

function askAll() {
  const then = () => {
    location.hash = '#/transcribe';
    void forgetAll();
  };
  dialog.value = { kind: 'ask', text: t('kept.ask'), yes: t('list.forget'), then };
}
