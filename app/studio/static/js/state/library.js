// @ts-check
// The recordings of this browser: a queue that is worked on one by one, and what is kept of it.
import { del, get, keys, set } from '../../vendor/idb-keyval/index.js';
import { batch, computed, signal } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure, askForKey, callJson, explained } from '../api/client.js';
import { eventReader } from '../api/stream.js';
import { formOf, upload } from '../api/upload.js';
import { withPeaks } from '../sound/peaks.js';
import { EMPTY, received } from '../transcript/model.js';
import { about, key } from './app.js';

/**
 * @template T
 * @typedef {import('../../vendor/signals-core/signals-core.mjs').Signal<T>} Signal
 */
/**
 * @typedef {import('../transcript/model.js').Transcript} Transcript
 * @typedef {'waiting' | 'sending' | 'queued' | 'listening' | 'done' | 'stopped' | 'failed' | 'refused'} Phase
 * @typedef {{phase: Phase, sent: number, seconds: number, expected: number, took: number, since: number,
 *   failure: ApiFailure | null, retryAt: number}} Progress `retryAt`: milliseconds, 0 if it does not try again
 * @typedef {import('../api/upload.js').Options} Options
 * @typedef {{id: string, name: string, size: number, modified: number, file: File | null, options: Options,
 *   progress: Signal<Progress>, transcript: Signal<Transcript>, past: Signal<readonly Transcript[]>,
 *   peaks: Signal<Uint8Array>, requestId: Signal<string>, stop: AbortController}} Recording
 */

const KEEP = 'antiphon-keep';
const PREFIX = 'transcript:';
/** @type {Progress} */
const NEW = { phase: 'waiting', sent: 0, seconds: 0, expected: 0, took: 0, since: 0, failure: null, retryAt: 0 };
const BUSY = new Set(['waiting', 'sending', 'queued', 'listening']);

/** @type {Signal<readonly Recording[]>} */
export const recordings = signal([]);
/** @type {Signal<Options>} */
export const options = signal({ speakers: true, language: '', count: '', words: '' });
/** @type {Signal<boolean>} */
export const keep = signal(localStorage.getItem(KEEP) !== 'never');
export const working = computed(() => recordings.value.some((one) => BUSY.has(one.progress.value.phase)));
let running = false;

/** @param {string} id @returns {Recording | undefined} */
export const recording = (id) => recordings.value.find((one) => one.id === id);

/** @param {Iterable<File>} files @returns {Recording[]} */
export function add(files) {
  const added = [...files].map((file) => make(freshId(), file.name, file.size, file.lastModified, file));
  const limit = about.value?.limits.upload_bytes ?? Infinity;
  for (const one of added) if (one.size > limit) change(one, { phase: 'refused' });
  recordings.value = [...recordings.value, ...added];
  void work();
  return added;
}

/** `crypto.randomUUID` is missing where the page comes over plain http from another machine. */
const freshId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** @param {string} id @param {string} name @param {number} size @param {number} modified @param {File | null} file @returns {Recording} */
function make(id, name, size, modified, file) {
  return {
    id,
    name,
    size,
    modified,
    file,
    options: { ...options.value, speakers: options.value.speakers && about.value?.features.diarization !== false },
    progress: signal(NEW),
    transcript: signal(EMPTY),
    past: signal([]),
    peaks: signal(new Uint8Array()),
    requestId: signal(''),
    stop: new AbortController(),
  };
}

/** @param {Recording} one @param {Partial<Progress>} facts */
function change(one, facts) {
  one.progress.value = { ...one.progress.value, ...facts };
}

async function work() {
  if (running) return;
  running = true;
  try {
    for (let one = waiting(); one; one = waiting()) await transcribe(one);
  } finally {
    running = false;
  }
}

const waiting = () => recordings.value.find((one) => one.progress.value.phase === 'waiting');

/** @param {Recording} one */
async function transcribe(one) {
  const lock = await navigator.wakeLock?.request('screen').catch(() => null);
  change(one, { since: Date.now(), failure: null, retryAt: 0 });
  const used = key.value;
  try {
    await callJson('models'); // no upload is sent to learn that a key is missing
    await send(one);
    change(one, { phase: 'done', took: (Date.now() - one.progress.value.since) / 1000 });
  } catch (wrong) {
    await ended(one, wrong, used);
  } finally {
    void lock?.release();
    void save(one);
  }
}

/** @param {Recording} one */
async function send(one) {
  if (!one.file) throw new ApiFailure({ status: 0, message: '', code: 'no_file' });
  if (one.stop.signal.aborted) throw new DOMException('stopped', 'AbortError');
  change(one, { phase: 'sending', sent: 0 });
  let begun = false;
  /** @type {ApiFailure | null} */
  let late = null;
  let whole = false;
  const feed = eventReader(
    (event) => {
      if (event.error) late = new ApiFailure({ status: 200, ...event.error });
      else if (event.type === 'antiphon.progress') progressed(one, event);
      else if (event.type === 'antiphon.peaks') one.peaks.value = withPeaks(one.peaks.value, event);
      else {
        if (!begun) beginAnew(one);
        begun = true;
        written(one, event);
      }
    },
    () => (whole = true),
  );
  const answer = await upload('audio/transcriptions', formOf(one.options, one.file), {
    onSent: (share) => change(one, share < 1 ? { sent: share } : { sent: 1, phase: 'queued' }),
    // The page is rendered once for all events of a piece of the stream; there may be hundreds.
    onText: (text) => batch(() => feed(text)),
    signal: one.stop.signal,
  });
  one.requestId.value = answer.requestId;
  if (late) throw late;
  if (!whole) throw new ApiFailure({ status: 0, message: '', code: 'cut' }); // a stream ends with [DONE]
}

/** The text of the try before stays until there is a new one; undo brings it back. @param {Recording} one */
function beginAnew(one) {
  if (one.transcript.value.turns.length) one.past.value = [...one.past.value, one.transcript.value];
  one.transcript.value = EMPTY;
}

/** @param {Recording} one @param {any} event */
function progressed(one, event) {
  change(one, { phase: 'listening', seconds: event.seconds, expected: event.expected ?? 0 });
}

/** @param {Recording} one @param {any} event */
function written(one, event) {
  if (one.progress.value.phase !== 'listening') change(one, { phase: 'listening' });
  one.transcript.value = received(one.transcript.value, event);
}

/** @param {Recording} one @param {unknown} wrong @param {string} used the key of its requests */
async function ended(one, wrong, used) {
  if (wrong instanceof DOMException) return change(one, { phase: 'stopped' });
  const failure = await explained(
    wrong instanceof ApiFailure ? wrong : new ApiFailure({ status: 0, message: String(wrong) }),
  );
  one.requestId.value = failure.requestId;
  if (failure.status === 401 && !failure.declined) {
    change(one, { phase: 'waiting' });
    if (key.value !== used) return;
    const given = await askForKey(failure).then(
      () => true,
      () => false,
    );
    return change(one, given ? { phase: 'waiting' } : { phase: 'failed', failure });
  }
  if (failure.status !== 429) return change(one, { phase: 'failed', failure });
  const pause = Math.max(1, failure.retryAfter) * 1000;
  change(one, { phase: 'queued', failure, retryAt: Date.now() + pause });
  await new Promise((resolve) => {
    const timer = setTimeout(resolve, pause);
    one.stop.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
  change(one, { phase: one.stop.signal.aborted ? 'stopped' : 'waiting', failure: null, retryAt: 0 });
}

/** @param {Recording} one */
export function stop(one) {
  one.stop.abort();
  if (one.progress.value.phase === 'waiting') change(one, { phase: 'stopped' });
}

/** @param {Recording} one */
export function again(one) {
  one.stop = new AbortController();
  change(one, { ...NEW });
  void work();
}

/** @param {Recording} one */
export async function forget(one) {
  one.stop.abort();
  recordings.value = recordings.value.filter((other) => other !== one);
  await del(PREFIX + one.id);
}

/** Applies an edit that can be undone. @param {Recording} one @param {Transcript} next */
export function edit(one, next) {
  if (next === one.transcript.value) return;
  one.past.value = [...one.past.value, one.transcript.value];
  one.transcript.value = next;
  void save(one);
}

/** @param {Recording} one */
export function undo(one) {
  const before = one.past.value.at(-1);
  if (!before) return;
  one.past.value = one.past.value.slice(0, -1);
  one.transcript.value = before;
  void save(one);
}

/** @param {Recording} one */
async function save(one) {
  if (!keep.value || !one.transcript.value.turns.length) return;
  const { id, name, size, modified, options: chosen } = one;
  const facts = { id, name, size, modified, options: chosen, transcript: one.transcript.value, peaks: one.peaks.value };
  if (!recording(id)) return; // forgotten in the meantime
  await set(PREFIX + id, { ...facts, progress: { ...one.progress.value, failure: null } });
  void navigator.storage?.persist?.();
}

/** Loads the recordings that this browser kept. */
export async function restore() {
  if (!keep.value) return;
  const names = (await keys()).filter((name) => String(name).startsWith(PREFIX));
  const stored = await Promise.all(names.map((name) => get(name)));
  recordings.value = stored.map((facts) => {
    const one = make(facts.id, facts.name, facts.size, facts.modified, null);
    one.options = facts.options;
    one.transcript.value = facts.transcript;
    one.peaks.value = facts.peaks ?? new Uint8Array();
    one.progress.value = {
      ...facts.progress,
      phase: BUSY.has(facts.progress.phase) ? 'stopped' : facts.progress.phase,
    };
    return one;
  });
}

/** Whether transcripts are kept from now on. Turning it off takes those that are kept out of the browser's storage. @param {boolean} on */
export async function setKeep(on) {
  keep.value = on;
  if (on) {
    localStorage.removeItem(KEEP);
    await Promise.all(recordings.value.map(save));
    return;
  }
  localStorage.setItem(KEEP, 'never');
  const names = (await keys()).filter((name) => String(name).startsWith(PREFIX));
  await Promise.all(names.map((name) => del(name)));
}

/** Whether the file is not here; a dictation never had one. @param {Recording} one */
export const lacksSound = (one) => !one.file && one.size > 0;

/** The same file, chosen again. @param {Recording} one @param {File} file @returns {boolean} whether it is the same */
export function reattach(one, file) {
  if (!lacksSound(one) || file.name !== one.name || file.size !== one.size) return false;
  one.file = file;
  recordings.value = [...recordings.value];
  return true;
}

/** A transcript that has no recording. @param {string} name @param {Transcript} transcript @returns {string} its id */
export function keepText(name, transcript) {
  const one = make(freshId(), name, 0, Date.now(), null);
  one.transcript.value = transcript;
  change(one, { phase: 'done', seconds: transcript.seconds, expected: transcript.seconds });
  recordings.value = [...recordings.value, one];
  void save(one);
  return one.id;
}
