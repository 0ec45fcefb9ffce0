// @ts-check
// Live dictation: one session, its words as they become sure, and the transcript that it leaves.
import { effect, signal, untracked } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure } from '../api/client.js';
import { LiveConnection } from '../api/live.js';
import { encoded, LIVE_RATE, loudness, Microphone } from '../sound/microphone.js';
import { EMPTY, withWords } from '../transcript/model.js';
import { LIVE_VIEW, route } from './app.js';
import { keepText } from './library.js';

/**
 * @template T
 * @typedef {import('../../vendor/signals-core/signals-core.mjs').Signal<T>} Signal
 */
/** Seconds before the end in which a turn that the server had not announced is taken to have begun. */
const LAST_SECONDS = 2;
/** @typedef {{item: string, from: number, until: number, text: string, done: boolean}} Said seconds */

/** @type {Signal<'idle' | 'starting' | 'listening' | 'finishing'>} */
export const phase = signal('idle');
/** What was said, turn by turn. @type {Signal<readonly Said[]>} */
export const said = signal([]);
export const seconds = signal(0);
/** How loud the microphone is, 0..1. */
export const level = signal(0);
/** Why the browser gave no microphone, in its own words. */
export const denied = signal('');
/** @type {Signal<ApiFailure | null>} */
export const failure = signal(null);
/** Whether the microphone has ended the session by itself. */
export const lost = signal(false);
/** The transcript of a session that ended by itself; empty: none. */
export const keptId = signal('');
/** The name of a transcript that is kept now. */
let nameNow = () => '';
/** Counts what the user began and gave up, so that what comes too late is given back. */
let wishes = 0;
/** @type {LiveConnection | null} */
let connection = null;
/** @type {Microphone | null} */
let microphone = null;

/** @param {string} language empty: found by the server @param {() => string} name of the transcript */
export async function begin(language, name) {
  if (phase.value !== 'idle') return;
  wishes += 1;
  const mine = wishes;
  nameNow = name;
  clear();
  phase.value = 'starting';
  try {
    const opened = await LiveConnection.begin(language, HEARS);
    if (mine !== wishes) return opened.drop();
    connection = opened;
    const hears = await Microphone.open(heard, lose);
    if (mine !== wishes) return hears.close();
    microphone = hears;
    phase.value = 'listening';
  } catch (wrong) {
    if (mine !== wishes) return;
    if (wrong instanceof ApiFailure) failure.value = wrong;
    else denied.value = String(/** @type {Error} */ (wrong).message);
    connection?.drop();
    close();
  }
}

function clear() {
  keptId.value = '';
  said.value = [];
  seconds.value = level.value = 0;
  denied.value = '';
  failure.value = null;
  lost.value = false;
}

/** @returns {Promise<string>} the id of the transcript; empty where nothing was said */
export async function end() {
  if (phase.value !== 'listening') return '';
  phase.value = 'finishing';
  microphone?.close();
  await connection?.finish();
  close();
  return kept();
}

/** What was said so far stays, whatever ended it. */
function kept() {
  const words = said.value.flatMap(timed);
  return words.length ? keepText(nameNow(), withWords(EMPTY, words)) : '';
}

/** The microphone was unplugged or taken away; what was said until then stays. */
async function lose() {
  lost.value = true;
  if (phase.value === 'starting') discard();
  else keptId.value = await end();
}

/** Ends without a transcript, also what has only begun to begin. */
export function discard() {
  wishes += 1;
  connection?.drop();
  close();
  said.value = [];
}

function close() {
  microphone?.close();
  microphone = connection = null;
  phase.value = 'idle';
}

/** @param {Int16Array} piece */
function heard(piece) {
  seconds.value += piece.length / LIVE_RATE;
  level.value = loudness(piece);
  connection?.append(encoded(piece));
}

/** @type {import('../api/live.js').Hears} */
const HEARS = {
  started: (item, at) => {
    const from = at === null ? Math.max(said.value.at(-1)?.until ?? 0, seconds.value - LAST_SECONDS) : at / 1000;
    said.value = [...said.value, { item, from, until: from, text: '', done: false }];
  },
  delta: (item, text) => change(item, (one) => ({ ...one, text: one.text + text, until: seconds.value })),
  completed: (item, text) =>
    change(item, (one) => {
      const until = one.until > one.from ? one.until : seconds.value;
      return { ...one, text: text ?? one.text, until, done: true };
    }),
  broken: (wrong) => {
    failure.value = wrong;
    const begun = phase.value === 'listening';
    if (!begun && phase.value !== 'starting') return;
    wishes += 1;
    connection?.drop();
    close();
    if (begun) keptId.value = kept();
  },
};

/** @param {string} item @param {(one: Said) => Said} next */
function change(item, next) {
  said.value = said.value.map((one) => (one.item === item ? next(one) : one));
}

/** The words of a turn, spread evenly over its time. @param {Said} one */
function timed({ text, from, until }) {
  const words = text.split(/\s+/).filter(Boolean);
  const step = Math.max(until - from, 0.01) / words.length;
  return words.map((word, index) => ({ text: word, start: from + index * step, end: from + (index + 1) * step }));
}

// Whoever goes to another view no longer sees that the microphone is open.
effect(() => {
  if (route.value.view === LIVE_VIEW) return;
  if (phase.peek() === 'starting') untracked(discard);
  else if (phase.peek() === 'listening') void untracked(end);
});
window.addEventListener('beforeunload', (event) => {
  if (phase.value !== 'idle') event.preventDefault();
});
