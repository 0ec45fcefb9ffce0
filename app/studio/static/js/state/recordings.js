// @ts-check
// The recordings of this tab, each a set of signals.
import { batch, signal } from '../../vendor/signals-core/signals-core.mjs';
import { caughtUp, rewritten } from '../transcript/edits.js';
import { EMPTY, startOf } from '../transcript/model.js';
import { about } from './app.js';

/**
 * @template T
 * @typedef {import('../../vendor/signals-core/signals-core.mjs').Signal<T>} Signal
 */
/**
 * @typedef {import('../transcript/model.js').Transcript} Transcript
 * @typedef {import('../transcript/edits.js').Step} Step
 * @typedef {'waiting' | 'sending' | 'queued' | 'listening' | 'done' | 'stopped' | 'failed' | 'refused' | 'elsewhere'} Phase
 *   `elsewhere`: another tab is transcribing it
 * @typedef {{phase: Phase, sent: number, seconds: number, expected: number, took: number, since: number,
 *   failure: import('../api/client.js').ApiFailure | null, retryAt: number}} Progress `retryAt`: milliseconds, 0 if it does not try again
 * @typedef {import('../api/upload.js').Options} Options
 * @typedef {{id: string, name: string, size: number, modified: number, added: number, file: File | null, options: Options, tab: string,
 *   progress: Signal<Progress>, transcript: Signal<Transcript>, events: any[], had: number, told: number,
 *   past: Signal<readonly Step[]>, peaks: Signal<Uint8Array>, requestId: Signal<string>, stop: AbortController}} Recording
 *   `events` of the stream that change the text, and how many of them the transcript `had`: an open text field holds
 *   them back, so that the text does not change under the user; `told`: the try that told the text, by its `since`;
 *   `tab`: the one that transcribes it, or did so last
 */

/** @type {Progress} */
export const NEW = { phase: 'waiting', sent: 0, seconds: 0, expected: 0, took: 0, since: 0, failure: null, retryAt: 0 };
export const BUSY = new Set(['waiting', 'sending', 'queued', 'listening']);
let latest = 0;

/** @type {Signal<readonly Recording[]>} */
export const recordings = signal([]);
/** The turn that is a text field now. What stands in it changes without a signal. @type {Signal<{one: Recording, turn: number, text: string} | null>} */
export const draft = signal(null);
/** @type {Signal<Options>} */
export const options = signal({ speakers: true, language: '', count: '', words: '' });

/** @param {string} id @returns {Recording | undefined} */
export const recording = (id) => recordings.value.find((one) => one.id === id);

/** `crypto.randomUUID` is missing where the page comes over plain http from another machine. */
export const freshId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** When a recording is added, in milliseconds; of two, the later one has the greater number. */
const now = () => (latest = Math.max(latest + 1, Date.now()));

/** @param {string} id @param {string} name @param {number} size @param {number} modified @param {File | null} file @param {number} [added] @returns {Recording} */
export function make(id, name, size, modified, file, added = now()) {
  return {
    id,
    name,
    size,
    modified,
    added,
    file,
    options: possible(options.value),
    progress: signal(NEW),
    transcript: signal(EMPTY),
    events: [],
    had: 0,
    told: 0,
    tab: '',
    past: signal([]),
    peaks: signal(new Uint8Array()),
    requestId: signal(''),
    stop: new AbortController(),
  };
}

/** What of the options this server can do. @param {Options} chosen @returns {Options} */
export const possible = (chosen) => ({
  ...chosen,
  speakers: chosen.speakers && about.value?.features.diarization !== false,
});

/** @param {Recording} one @param {Partial<Progress>} facts */
export function change(one, facts) {
  one.progress.value = { ...one.progress.value, ...facts };
}

/** @param {Recording} one @returns {Step} */
export const stepOf = (one) => ({
  transcript: one.transcript.value,
  events: one.events,
  had: one.had,
  told: one.told,
});

/** Brings the text up to date, unless a text field is open in it. @param {Recording} one */
export function catchUp(one) {
  if (draft.value?.one === one) return;
  one.transcript.value = caughtUp(stepOf(one));
  one.had = Math.max(one.had, one.events.length);
}

/** Whether it has the text that a tab kept. @param {Recording} one @param {{transcript: Transcript}} facts */
export const isSame = (one, facts) => JSON.stringify(one.transcript.value) === JSON.stringify(facts.transcript);

/** The text with what stands in its open field. @param {Recording} one @returns {Transcript} */
function typedIn(one) {
  const open = draft.value;
  return open?.one === one ? rewritten(one.transcript.value, open.turn, open.text) : one.transcript.value;
}

/**
 * Takes a text that another tab has edited, and adds what the stream has brought since. The other tab may have given
 * the id of the turn that is a field here to another turn; where the turn is not found, undo brings back what was typed.
 * @param {Recording} one @param {{transcript: Transcript, had: number, told: number}} facts
 */
export function adopt(one, { transcript, had, told }) {
  const open = draft.value?.one === one ? draft.value : null;
  const old = open && one.transcript.value.turns.find(({ id }) => id === open.turn);
  const events = told === one.told ? one.events : [];
  const shown = Math.max(had, told === one.told ? one.had : 0);
  const next = caughtUp({ transcript, events: events.slice(0, shown), had });
  const field = old && next.turns.find((turn) => startOf(turn) === startOf(old));
  batch(() => {
    one.past.value = [...one.past.value, { ...stepOf(one), transcript: field ? one.transcript.value : typedIn(one) }];
    if (open && field?.id !== open.turn) draft.value = field ? { ...open, turn: field.id } : null;
    one.transcript.value = next;
    Object.assign(one, { events, had: shown, told });
    catchUp(one);
  });
}

/** The text with what stands in the open field, up to date. @param {Recording} one @returns {Transcript} */
export function whole(one) {
  return caughtUp({ ...stepOf(one), transcript: typedIn(one) });
}

/** Whether it never had a file. @param {Recording} one */
export const isDictation = (one) => !one.file && one.size === 0;

/** Whether it had a file that is not here. @param {Recording} one */
export const lacksSound = (one) => !one.file && one.size > 0;

/** Whether a file has the name and the size of the recording; a copy of it may have another date. @param {Recording} one @param {File} file */
export const resembles = (one, file) => file.name === one.name && file.size === one.size;

/**
 * The same file, chosen again.
 * @param {Recording} one @param {File} file @param {boolean} [copy] whether another date is allowed
 * @returns {boolean} whether it is the same
 */
export function reattach(one, file, copy = false) {
  if (!lacksSound(one) || !resembles(one, file) || !(copy || file.lastModified === one.modified)) return false;
  one.file = file;
  recordings.value = [...recordings.value];
  return true;
}
