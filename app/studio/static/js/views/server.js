// @ts-check
// Server: readiness and its problems, models, queue, throughput, limits. It polls only while the tab is visible.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure, authorization, callJson, failureFrom, failureOfAny, loadAbout, reached } from '../api/client.js';
import { sums } from '../code/metrics.js';
import { clock, number, size, t } from '../i18n/index.js';
import { about, key, keyChanges, route } from '../state/app.js';
import { failureBox } from './failure.js';
import { icon } from './pieces.js';

const EVERY = 2000;
/** Statuses with which a key without the scope, or a proxy, hides the counters. */
const HIDDEN = new Set([401, 403, 404]);
/**
 * @template T
 * @typedef {T | ApiFailure} Told what was asked for, or why it was not told
 */
/**
 * @typedef {{ready: boolean, problems: Record<string, string>}} Readiness
 * @typedef {{keys: number, readiness: Told<Readiness>, models: Told<any[]>, counters: Told<Map<string, number>>}} Seen `keys`:
 *   how often the key had been changed
 */
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
  const facts = seen.value?.keys === keyChanges.value ? seen.value : null;
  return html`<h1>${t('server.title')}</h1>
    ${facts ? told(facts) : html`<p class="quiet">${t('server.asking')}</p>`} ${limits()}`;
}

/** @param {Seen} facts */
function told({ readiness, models, counters }) {
  // One word for all where nothing can be reached; it is asked again and again.
  if (readiness instanceof ApiFailure) return failureBox(readiness);
  const { ready, problems } = readiness;
  return html`<p class=${ready ? 'good' : 'failure'} role="status">${icon(ready ? 'check' : 'x')} ${t(ready ? 'server.ready' : 'server.not-ready')}
      ${about.value ? html`<span class="quiet">${t('server.version')} ${about.value.version}</span>` : nothing}</p>
    <ul>${Object.entries(problems).map(([name, why]) => html`<li><strong>${name}</strong>: ${why}</li>`)}</ul>
    ${figures(counters)} ${listed(models)}`;
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
  const keys = keyChanges.value;
  const [readiness, models, counters] = await Promise.all([
    readinessNow().catch(failureOfAny),
    callJson('models').then((answer) => answer.data ?? [], refused),
    countersNow().catch(failureOfAny),
  ]);
  if (refusal()) return;
  seen.value = { keys, readiness, models, counters };
  if (!about.value) await loadAbout();
}

/** @returns {Promise<Readiness>} */
async function readinessNow() {
  const [answer, text] = await asked('health/ready', {});
  try {
    const { problems } = JSON.parse(text);
    if (answer.ok || problems) return { ready: answer.ok, problems: problems ?? {} };
  } catch {
    // A proxy in front answered.
  }
  throw failureFrom(answer.status, text, (name) => answer.headers.get(name));
}

async function countersNow() {
  const [answer, text] = await asked('metrics', authorization());
  if (!answer.ok) throw failureFrom(answer.status, text, (name) => answer.headers.get(name));
  return sums(text);
}

/** @param {string} path @param {Record<string, string>} headers @returns {Promise<[Response, string]>} */
const asked = (path, headers) =>
  reached(async () => {
    const answer = await fetch(path, { headers, cache: 'no-store' });
    return [answer, await answer.text()];
  });

/** @param {unknown} wrong */
function refused(wrong) {
  const failure = failureOfAny(wrong);
  if (failure.declined) declined.value = { wrong: failure, key: key.value };
  return failure;
}

/** @param {Told<Map<string, number>>} all */
function figures(all) {
  if (all instanceof ApiFailure) {
    return HIDDEN.has(all.status) ? html`<p class="quiet">${t('server.hidden')}</p>` : failureBox(all);
  }
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

/** @param {Told<any[]>} all */
function listed(all) {
  const heading = html`<h2>${t('server.models')}</h2>`;
  if (all instanceof ApiFailure) return html`${heading} ${failureBox(all)}`;
  const known = all.filter((one) => one.state);
  return html`${heading}
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
  if (name.endsWith('_bytes')) return size(value, 'floor');
  return name.endsWith('_seconds') ? clock(value) : number(value);
}
