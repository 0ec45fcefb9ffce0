// @ts-check
// Server: readiness and its problems, models, queue, throughput, limits. It polls only while the tab is visible.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure, authorization, callJson } from '../api/client.js';
import { sums } from '../code/metrics.js';
import { clock, number, size, t } from '../i18n/index.js';
import { about, key, route } from '../state/app.js';
import { failureBox } from './failure.js';
import { icon } from './icons.js';

const EVERY = 2000;
/** @typedef {{ready: boolean, problems: Record<string, string>, models: any[], counters: Map<string, number> | null}} Seen */
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<Seen | null>} */
const seen = signal(null);
/** The refusal that the user answered with no key, and the key that was refused: the page asks again when the user wants to, or has given another key. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<{wrong: ApiFailure, key: string} | null>} */
const declined = signal(null);
const refusal = () => (declined.value?.key === key.value ? declined.value.wrong : null);
let watching = false;

export function serverView() {
  const wrong = refusal();
  if (wrong) return html`<h1>${t('server.title')}</h1>${failureBox(wrong, again)}`;
  queueMicrotask(() => void watch());
  const facts = seen.value;
  return html`<h1>${t('server.title')}</h1>
    ${
      facts
        ? html`<p class=${facts.ready ? 'good' : 'failure'} role="status">${icon(facts.ready ? 'check' : 'x')} ${facts.ready ? t('server.ready') : t('server.not-ready')}
            ${about.value ? html`<span class="quiet">${t('server.version')} ${about.value.version}</span>` : nothing}</p>
          <ul>${Object.entries(facts.problems).map(([name, why]) => html`<li><strong>${name}</strong>: ${why}</li>`)}</ul>
          ${counters(facts.counters)} ${models(facts.models)}`
        : nothing
    }
    ${facts ? nothing : html`<p class="quiet">${t('server.asking')}</p>`} ${limits()}`;
}

/** Looks again and again while the view is open. */
async function watch() {
  if (watching) return;
  watching = true;
  try {
    while (route.value.view === 'server') {
      if (!document.hidden) await look();
      if (refusal()) break;
      await new Promise((next) => setTimeout(next, EVERY));
    }
  } finally {
    watching = false;
  }
}

function again() {
  declined.value = null;
}

async function look() {
  const [ready, models, metrics] = await Promise.all([
    fetch('health/ready', { cache: 'no-store' })
      .then(async (answer) => ({ ready: answer.ok, ...(await answer.json()) }))
      .catch(() => ({ ready: false })),
    callJson('models').then((answer) => answer.data, refused),
    fetch('metrics', { headers: authorization(), cache: 'no-store' })
      .then((answer) => (answer.ok ? answer.text() : null))
      .catch(() => null),
  ]);
  if (refusal()) return;
  seen.value = {
    ready: ready.ready,
    problems: ready.problems ?? {},
    models,
    counters: metrics === null ? null : sums(metrics),
  };
  about.value ??= await callJson('about').catch(() => null);
}

/** @param {unknown} wrong */
function refused(wrong) {
  if (wrong instanceof ApiFailure && wrong.declined) declined.value = { wrong, key: key.value };
  return [];
}

/** @param {Map<string, number> | null} all */
function counters(all) {
  if (!all) return html`<p class="quiet">${t('server.hidden')}</p>`;
  const sound = all.get('antiphon_sound_seconds_total') ?? 0;
  const factor = sound ? (all.get('antiphon_work_seconds_total') ?? 0) / sound : 0;
  return html`<dl class="cards">
    ${card('queue', number(all.get('antiphon_queue_jobs') ?? 0))}
    ${card('rtf', sound ? number(factor, { maximumFractionDigits: 2 }) : '–')}
    ${card('refused', number(all.get('antiphon_refused_total') ?? 0))}
  </dl>`;
}

/** A figure, and what it means. @param {string} name @param {string} value */
const card = (name, value) =>
  html`<div class="sheet"><dt>${t(`server.${name}`)}</dt><dd>${value}</dd><dd class="quiet">${t(`server.${name}-means`)}</dd></div>`;

/** @param {any[]} all */
function models(all) {
  const known = all.filter((one) => one.state);
  return html`<h2>${t('server.models')}</h2>
    <table><tbody>${known.map((one) => html`<tr><th scope="row">${one.id}</th><td class="state-${one.state}">${t(`state.${one.state}`)}</td></tr>`)}</tbody></table>`;
}

function limits() {
  const told = about.value;
  if (!told) return nothing;
  return html`<h2>${t('server.limits')}</h2>
    <dl class="facts">${Object.entries(told.limits).map(([name, value]) => html`<dt><code>${name}</code></dt><dd>${limit(name, value)}</dd>`)}</dl>`;
}

/** A limit in its unit. @param {string} name @param {number} value */
function limit(name, value) {
  if (name.endsWith('_bytes')) return size(value);
  return name.endsWith('_seconds') ? clock(value) : number(value);
}
