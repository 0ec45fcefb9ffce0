// @ts-check
// Shows the request behind a result as code: curl, Python and Node.
import { html } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { snippets } from '../code/snippets.js';
import { t } from '../i18n/index.js';
import { copyButton } from './copy.js';

/** @typedef {{shown: import('../code/snippets.js').Shown, requestId: string}} Call */

const LANGUAGES = /** @type {const} */ (['curl', 'python', 'node']);
const chosen = signal(/** @type {'curl' | 'python' | 'node'} */ ('curl'));

/** @param {Call} call */
export function callBox(call) {
  const text = snippets(call.shown, location.origin)[chosen.value];
  return html`<h2 id="dialog-title">${t('call.title')}</h2>
    <div class="row" role="group" aria-label=${t('call.title')}>
      ${LANGUAGES.map(
        (name) =>
          html`<button aria-pressed=${name === chosen.value} @click=${() => (chosen.value = name)}>${name}</button>`,
      )}
      ${copyButton(text)}
    </div>
    <pre tabindex="0" aria-label=${chosen.value}><code>${text}</code></pre>
    <p class="quiet">${t('call.note')}</p>
    ${call.requestId ? html`<p class="quiet"><code>${t('error.request', { id: call.requestId })}</code></p>` : ''}`;
}
