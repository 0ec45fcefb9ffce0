// @ts-check
// The recordings of this tab, each a set of signals.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { EMPTY } from '../transcript/model.js';
import { about } from './app.js';

/**
 * @template T
 * @typedef {import('../../vendor/signals-core/signals-core.mjs').Signal<T>} Signal
 */
/**
 * @typedef {import('../transcript/model.js').Transcript} Transcript
 * @typedef {'waiting' | 'sending' | 'queued' | 'listening' | 'done' | 'stopped' | 'failed' | 'refused'} Phase
 * @typedef {{phase: Phase, sent: number, seconds: number, expected: number, took: number, since: number,
 *   failure: import('../api/client.js').ApiFailure | null, retryAt: number}} Progress `retryAt`: milliseconds, 0 if it does not try again
 * @typedef {import('../api/upload.js').Options} Options
 * @typedef {{id: string, name: string, size: number, modified: number, file: File | null, options: Options,
 *   progress: Signal<Progress>, transcript: Signal<Transcript>, past: Signal<readonly Transcript[]>,
 *   peaks: Signal<Uint8Array>, requestId: Signal<string>, stop: AbortController}} Recording
 */

/** @type {Progress} */
export const NEW = { phase: 'waiting', sent: 0, seconds: 0, expected: 0, took: 0, since: 0, failure: null, retryAt: 0 };
export const BUSY = new Set(['waiting', 'sending', 'queued', 'listening']);

/** @type {Signal<readonly Recording[]>} */
export const recordings = signal([]);
/** @type {Signal<Options>} */
export const options = signal({ speakers: true, language: '', count: '', words: '' });

/** @param {string} id @returns {Recording | undefined} */
export const recording = (id) => recordings.value.find((one) => one.id === id);

/** `crypto.randomUUID` is missing where the page comes over plain http from another machine. */
export const freshId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** @param {string} id @param {string} name @param {number} size @param {number} modified @param {File | null} file @returns {Recording} */
export function make(id, name, size, modified, file) {
  return {
    id,
    name,
    size,
    modified,
    file,
    options: possible(options.value),
    progress: signal(NEW),
    transcript: signal(EMPTY),
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

/** Whether it never had a file. @param {Recording} one */
export const isDictation = (one) => !one.file && one.size === 0;

/** Whether it had a file that is not here. @param {Recording} one */
export const lacksSound = (one) => !one.file && one.size > 0;

/** The same file, chosen again. @param {Recording} one @param {File} file @returns {boolean} whether it is the same */
export function reattach(one, file) {
  if (!lacksSound(one) || file.name !== one.name || file.size !== one.size) return false;
  one.file = file;
  recordings.value = [...recordings.value];
  return true;
}
