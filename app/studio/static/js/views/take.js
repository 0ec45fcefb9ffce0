// @ts-check
// Record: one button, the time, how loud it is. Where the browser gives no microphone, a sentence says why.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { clock, t } from '../i18n/index.js';
import { canRecord } from '../sound/recorder.js';
import { begin, denied, discard, end, level, lost, seconds, starting, take } from '../state/take.js';
import { icon } from './pieces.js';

/**
 * @param {{name: string, got: (file: File) => void, done: string, keep?: boolean, main?: boolean}} purpose `name` of the file, `done`:
 *   label of what ends the take, `keep`: a user who goes to another view ends it too, instead of losing it; `main`: it
 *   is what the user should do now
 */
export function recordButton({ name, got, done, keep = false, main = false }) {
  if (!canRecord()) return nothing;
  const press = async () => got(await end(name));
  const cancel = html`<button @click=${discard}>${t('common.cancel')}</button>`;
  if (starting.value) return html`<span role="status">${t('take.starting')}</span> ${cancel}`;
  if (!take.value) {
    const start = () => void begin(keep ? () => void press() : undefined);
    return html`<button class=${main ? 'main' : nothing} data-next data-first="record" @click=${start}>${icon('mic')} ${t('take.record')}</button>`;
  }
  return html`<button class="main" data-next @click=${() => void press()}>${icon('square')} ${done}</button>
    <span class="row recording"><span class="time">${clock(seconds.value)}</span>
      <meter min="0" max="1" .value=${level.value} aria-label=${t('take.level')}></meter></span>
    ${cancel}`;
}

/** Why there is no microphone. */
export function microphoneNote() {
  if (!canRecord()) return html`<p class="quiet no-microphone">${t('take.no-microphone')}</p>`;
  if (take.value && lost.value) return html`<p class="failure" role="alert">${t('take.lost')}</p>`;
  return denied.value ? html`<p class="failure" role="alert">${t('take.denied', { why: denied.value })}</p>` : nothing;
}
