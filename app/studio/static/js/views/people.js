// @ts-check
// The people of a recording: names instead of letters, and who is the same person.

import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { percent, t } from '../i18n/index.js';
import { dialog } from '../state/app.js';
import { edit } from '../state/library.js';
import { merged, renamed } from '../transcript/edits.js';
import { nameOf, shares, speakers } from '../transcript/model.js';

/** @typedef {import('../state/recordings.js').Recording} Recording */

/** @param {Recording} one */
export function peopleBox(one) {
  const transcript = one.transcript.value;
  const all = speakers(transcript);
  if (!all.length) return nothing;
  const share = shares(transcript);
  return html`<section class="people"><h2>${t('people.title')}</h2>
    <ul>${repeat(
      all,
      (speaker) => speaker,
      (speaker) => person(one, speaker, share.get(speaker) ?? 0, all),
    )}</ul></section>`;
}

/** @param {Recording} one @param {string} speaker @param {number} share @param {string[]} all */
function person(one, speaker, share, all) {
  const transcript = one.transcript.value;
  const name = (/** @type {Event} */ event) => {
    const field = /** @type {HTMLInputElement} */ (event.target);
    edit(one, renamed(one.transcript.value, speaker, field.value));
    field.value = nameOf(one.transcript.value, speaker); // a name that is only spaces becomes the letter again
  };
  const same = `${nameOf(transcript, speaker)}: ${t('people.merge')}`;
  const others = all.filter((other) => other !== speaker);
  const choices = others.map((other) => ({
    name: nameOf(transcript, other),
    take: () => edit(one, merged(one.transcript.value, speaker, other)),
  }));
  const ask = () => {
    dialog.value = { kind: 'choose', text: same, groups: [{ label: t('people.title'), choices }] };
  };
  return html`<li class="speaker-${tint(all, speaker)}">
    <span class="badge" aria-hidden="true">${speaker.slice(0, 2)}</span>
    <input aria-label=${t('people.rename', { name: speaker })} .value=${nameOf(transcript, speaker)} @change=${name}>
    <span class="quiet" aria-label=${t('people.share', { share: percent(share) })} title=${t('people.share', { share: percent(share) })}>${percent(share)}</span>
    ${others.length ? html`<button class="plain whose" aria-label=${same} @click=${ask}>${t('people.merge')} …</button>` : nothing}
  </li>`;
}

/** The letter of a speaker's colour, a to h. @param {readonly string[]} all @param {string} speaker */
export function tint(all, speaker) {
  return 'abcdefgh'[Math.max(0, all.indexOf(speaker)) % 8];
}
