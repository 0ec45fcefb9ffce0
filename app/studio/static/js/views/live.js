// @ts-check
// Live dictation: press, speak, see the words, press again. The text goes where transcripts go.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { loadAbout } from '../api/client.js';
import { clock, t } from '../i18n/index.js';
import { about, untold } from '../state/app.js';
import { begin, denied, discard, end, failure, keptId, level, lost, phase, said, seconds } from '../state/live.js';
import { options } from '../state/recordings.js';
import { failureBox } from './failure.js';
import { later } from './later.js';
import { icon, rich } from './pieces.js';

export function liveView() {
  later('opened'); // the text will be shown there
  return html`<section class="sheet dictation">
    <h1>${t('live.title')}</h1>
    <p class="quiet">${t('live.tells')}</p>
    ${untold.value ? failureBox(untold.value, () => void loadAbout()) : html`<p class="row center">${controls()}</p>`}
    ${denied.value ? html`<p class="failure" role="alert">${t('live.denied', { why: denied.value })}</p>` : nothing}
    ${failure.value ? failureBox(failure.value, start) : nothing}
    ${lost.value ? html`<p class="failure" role="alert">${t('take.lost')}</p>` : nothing}
    ${keptId.value ? html`<p><a href="#/transcribe/${keptId.value}">${t('live.kept')}</a></p>` : nothing}
    <div class="said" role="log" aria-label=${t('live.words')} dir="auto">
      ${said.value.map((one) => html`<p class=${one.done ? '' : 'open'}>${one.text}</p>`)}
    </div>
  </section>`;
}

function controls() {
  if (about.value && !about.value.features.live) return html`<span class="quiet">${rich('live.off')}</span>`;
  if (!('mediaDevices' in navigator) || !('AudioWorkletNode' in window))
    return html`<span class="quiet">${t('live.no-microphone')}</span>`;
  if (phase.value === 'idle')
    return html`<button class="main" data-next @click=${start}>
      ${icon('mic')} ${t('live.begin')}</button>`;
  const cancel = html`<button @click=${discard}>${t('common.cancel')}</button>`;
  if (phase.value === 'starting') return html`<span role="status">${t('live.starting')}</span> ${cancel}`;
  if (phase.value === 'finishing') return html`<span role="status">${t('live.finishing')}</span>`;
  return html`<button class="main" data-next @click=${() => void press()}>${icon('square')} ${t('live.end')}</button>
    <span class="row recording"><span class="time">${clock(seconds.value)}</span>
      <meter min="0" max="1" .value=${level.value} aria-label=${t('live.level')}></meter></span>
    ${cancel}`;
}

const start = () => void begin(options.value.language, name);

async function press() {
  const id = await end();
  if (id) location.hash = `#/transcribe/${id}`;
}

/** The name of the transcript: when it was said. */
function name() {
  const made = new Date();
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const day = [made.getFullYear(), two(made.getMonth() + 1), two(made.getDate())].join('-');
  return `${t('live.name')} ${day} ${two(made.getHours())}.${two(made.getMinutes())}`;
}
