// @ts-check
// The bar at the bottom: play, the strip with a range input on it, speed, the call.

import { guard } from '../../vendor/lit-html/directives/guard.js';
import { live } from '../../vendor/lit-html/directives/live.js';
import { html, nothing, svg } from '../../vendor/lit-html/lit-html.js';
import { fieldsOf } from '../api/upload.js';
import { clock, number, t } from '../i18n/index.js';
import * as player from '../sound/player.js';
import { LANE, lanePath, peakPath, stripHeight } from '../sound/strip.js';
import { dialog, route } from '../state/app.js';
import { isDictation, recording } from '../state/recordings.js';
import { nameOf, speakers } from '../transcript/model.js';
import { tint } from './people.js';
import { icon } from './pieces.js';

export function playerBar() {
  const one = route.value.view === 'transcribe' ? recording(route.value.id) : undefined;
  if (!one?.transcript.value.turns.length) return html`<footer class="bar none"></footer>`;
  if (isDictation(one))
    return html`<footer class="bar"><p class="quiet">${t('player.none')}</p> ${helpButton()}</footer>`;
  // While it is transcribed, the whole length is known before the text is.
  const all = Math.max(player.length.value, one.transcript.value.seconds, one.progress.value.expected);
  return html`<footer class="bar">
    ${player.silent.value ? html`<p class="quiet">${t('player.silent')}</p>` : controls(all)}
    <div class="strip">${laneNames(one.transcript.value)} <div class="picture">${strip(one, all)} ${seeker(all)}</div></div>
    <button class="calls" aria-label=${t('call.show')} @click=${() => show(one)}>${icon('code')} <span>${t('call.show')}</span></button>
    ${helpButton()}
  </footer>`;
}

const helpButton = () =>
  html`<button class="plain helps" aria-label=${t('keys.title')} title=${t('keys.title')} @click=${help}>${icon('circle-help')}</button>`;

function help() {
  dialog.value = { kind: 'keys' };
}

/** @param {import('../state/recordings.js').Recording} one */
function show(one) {
  const shown = /** @type {const} */ ({ kind: 'transcription', fields: fieldsOf(one.options), file: one.name });
  dialog.value = { kind: 'call', call: { shown, requestId: one.requestId.value } };
}

/** @param {number} all */
function controls(all) {
  const label = player.playing.value ? t('player.pause') : t('player.play');
  const faster = (/** @type {Event} */ event) =>
    player.setSpeed(Number(/** @type {HTMLSelectElement} */ (event.target).value));
  return html`<div class="row">
    <button class="main" aria-label=${label} @click=${player.toggle}>${icon(player.playing.value ? 'pause' : 'play')}</button>
    <span class="time">${clock(player.at.value)} / ${clock(all)}</span>
    <select aria-label=${t('player.speed')} @change=${faster}>
      ${player.SPEEDS.map((value) => html`<option value=${value} .selected=${live(value === player.speed.value)}>${number(value)}×</option>`)}
    </select>
    ${
      player.following.value
        ? nothing
        : html`<button @click=${player.back}>
      ${t('player.follow', { time: clock(player.at.value) })}</button>`
    }
  </div>`;
}

/** @param {import('../state/recordings.js').Recording} one @param {number} all */
function strip(one, all) {
  const transcript = one.transcript.value;
  const people = speakers(transcript);
  return guard([transcript, one.peaks.value, all], () => {
    const lanes = people.length ? people : [''];
    const height = stripHeight(lanes.length);
    return html`<svg viewBox="0 0 ${Math.max(all, 1)} ${height}" height="${height / 16}rem" preserveAspectRatio="none" aria-hidden="true">
      ${svg`<path class="peaks" d=${peakPath(one.peaks.value, all)}></path>`}
      ${lanes.map((speaker, lane) => svg`<path class="lane speaker-${tint(people, speaker)}" stroke-width=${LANE - 4} d=${lanePath(transcript, speaker, lane)}></path>`)}
    </svg>`;
  });
}

/** Who each lane is of. @param {import('../transcript/model.js').Transcript} transcript */
function laneNames(transcript) {
  const people = speakers(transcript);
  if (!people.length) return nothing;
  return html`<ul class="lanes" aria-hidden="true">${people.map(
    (speaker) => html`<li class="speaker-${tint(people, speaker)}" dir="auto">${nameOf(transcript, speaker)}</li>`,
  )}</ul>`;
}

/** @param {number} all */
function seeker(all) {
  const seek = (/** @type {Event} */ event) =>
    player.seek(Number(/** @type {HTMLInputElement} */ (event.target).value));
  const told = t('player.at', { at: clock(player.at.value), all: clock(all) });
  return html`<input type="range" min="0" max=${Math.ceil(all)} step="0.1" .value=${String(player.at.value)}
    aria-label=${t('player.seek')} aria-valuetext=${told} @input=${seek}>`;
}
