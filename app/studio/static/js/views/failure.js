// @ts-check
// What went wrong, in the server's own words.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { t } from '../i18n/index.js';
import { changeKey, key } from '../state/app.js';

/** @param {import('../api/client.js').ApiFailure} failure */
function title({ status, code }) {
  if (status !== 0) return t('error.answered', { status });
  return code === 'cut' || code === 'garbled' ? t(`error.${code}`) : t('error.unreachable');
}

/** @param {import('../api/client.js').ApiFailure} failure @param {() => void} [again] */
export function failureBox(failure, again) {
  return html`<div class="failure" role="alert">
    <p><strong>${title(failure)}</strong></p>
    ${failure.message ? html`<p dir="auto">${failure.message}</p>` : nothing}
    <p class="quiet">
      ${failure.param ? html`${t('error.param', { name: failure.param })} · ` : nothing}
      ${failure.requestId ? html`<code>${t('error.request', { id: failure.requestId })}</code>` : nothing}
    </p>
    <p class="row">
      ${again ? html`<button @click=${again}>${t('common.retry')}</button>` : nothing}
      ${failure.status === 403 && key.value ? html`<button @click=${() => changeKey(failure.message, again)}>${t('key.another')}</button>` : nothing}
    </p>
  </div>`;
}
