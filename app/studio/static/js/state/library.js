// @ts-check
// The queue of recordings, which is worked on one by one, and their edits.
import { batch, computed } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure, askForKey, checkKey, explained, loadAbout } from '../api/client.js';
import { eventReader } from '../api/stream.js';
import { formOf, upload } from '../api/upload.js';
import { withPeaks } from '../sound/peaks.js';
import { rewritten } from '../transcript/edits.js';
import { EMPTY, textOf } from '../transcript/model.js';
import { about, key } from './app.js';
import { drop, nameTab, restored, save, saveSoon, unkeep, unnameTab } from './kept.js';
import { BUSY, catchUp, change, draft, freshId, make, NEW, possible, recordings, stepOf } from './recordings.js';

/**
 * @typedef {import('../transcript/model.js').Transcript} Transcript
 * @typedef {import('./recordings.js').Recording} Recording
 * @typedef {import('./recordings.js').Progress} Progress
 */

export const working = computed(() => recordings.value.some((one) => BUSY.has(one.progress.value.phase)));
let running = false;

/** @param {Iterable<File>} files @returns {Recording[]} */
export function add(files) {
  const added = [...files].map((file) => make(freshId(), file.name, file.size, file.lastModified, file));
  for (const one of added) if (isTooLarge(one)) change(one, { phase: 'refused' });
  for (const one of added) one.tab = nameTab();
  recordings.value = [...recordings.value, ...added];
  void work();
  return added;
}

/** @param {Recording} one */
const isTooLarge = (one) => one.size > (about.value?.limits.upload_bytes ?? Infinity);

async function work() {
  if (running) return;
  running = true;
  try {
    for (let one = waiting(); one; one = waiting()) await transcribe(one);
  } finally {
    running = false;
    unnameTab();
  }
}

const waiting = () => recordings.value.find((one) => one.progress.value.phase === 'waiting');

/** @param {Recording} one */
async function transcribe(one) {
  const lock = await navigator.wakeLock?.request('screen').catch(() => null);
  one.tab = nameTab();
  change(one, { since: Math.max(Date.now(), one.told + 1), failure: null, retryAt: 0 }); // it is the name of this try
  const used = key.value;
  try {
    await checkKey();
    // Without a key the page knew no limits when the file was dropped.
    if (!about.value) await loadAbout();
    if (isTooLarge(one)) return change(one, { phase: 'refused' });
    one.options = possible(one.options);
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
  const stream = reading(one);
  const answer = await upload('audio/transcriptions', formOf(one.options, one.file), {
    onSent: (share) => change(one, share < 1 ? { sent: share } : { sent: 1, phase: 'queued' }),
    // The page is rendered once for all events of a piece of the stream; there may be hundreds.
    onText: (text) => batch(() => stream.feed(text)),
    signal: one.stop.signal,
  });
  one.requestId.value = answer.requestId;
  if (stream.failure) throw stream.failure;
  if (!stream.isWhole) throw new ApiFailure({ status: 0, message: '', code: 'cut' }); // a stream ends with [DONE]
}

/** What is fed with the stream of a recording, and knows how it has ended. @param {Recording} one */
function reading(one) {
  let begun = false;
  const stream = {
    failure: /** @type {ApiFailure | null} */ (null),
    isWhole: false,
    feed: eventReader(
      (event) => {
        if (event.error) stream.failure = new ApiFailure({ status: 200, ...event.error });
        else if (event.type === 'antiphon.progress') progressed(one, event);
        else if (event.type === 'antiphon.peaks') one.peaks.value = withPeaks(one.peaks.value, event);
        else {
          if (!begun) beginAnew(one);
          begun = true;
          written(one, event);
        }
      },
      () => {
        stream.isWhole = true;
      },
    ),
  };
  return stream;
}

/** The text of the try before stays until there is a new one; undo brings it back. @param {Recording} one */
function beginAnew(one) {
  if (draft.value?.one === one) settle();
  if (one.transcript.value.turns.length) one.past.value = [...one.past.value, stepOf(one)];
  one.transcript.value = EMPTY;
  one.events = [];
  one.had = 0;
  one.told = one.progress.value.since;
}

/** @param {Recording} one @param {any} event */
function progressed(one, event) {
  change(one, { phase: 'listening', seconds: event.seconds, expected: event.expected ?? 0 });
}

/** @param {Recording} one @param {any} event */
function written(one, event) {
  if (one.progress.value.phase !== 'listening') change(one, { phase: 'listening' });
  one.events.push(event);
  catchUp(one);
  saveSoon(one);
}

/** @param {Recording} one @param {unknown} wrong @param {string} used the key of its requests */
async function ended(one, wrong, used) {
  if (wrong instanceof DOMException && wrong.name === 'AbortError') return change(one, { phase: 'stopped' });
  const garbled = () => new ApiFailure({ status: 0, message: String(wrong), code: 'garbled' });
  const failure = await explained(wrong instanceof ApiFailure ? wrong : garbled());
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
  one.tab = nameTab();
  change(one, { ...NEW });
  void work();
}

/** @param {Recording} one */
export async function forget(one) {
  drop(one);
  await unkeep(one.id);
}

/** Forgets all recordings, also those that this browser keeps and has not loaded yet. */
export async function forgetAll() {
  await restored();
  await Promise.all(recordings.value.map(forget));
}

/** Applies an edit that can be undone. @param {Recording} one @param {Transcript} next */
export function edit(one, next) {
  if (next === one.transcript.value) return;
  one.past.value = [...one.past.value, stepOf(one)];
  one.transcript.value = next;
  void save(one);
}

/** Takes back the last edit, and nothing that the server has told since. @param {Recording} one */
export function undo(one) {
  settle();
  const step = one.past.value.at(-1);
  // The text of the try before comes back only when this try has ended.
  if (!step || (BUSY.has(one.progress.value.phase) && step.events !== one.events)) return;
  batch(() => {
    one.past.value = one.past.value.slice(0, -1);
    one.transcript.value = step.transcript;
    one.events = step.events;
    one.had = step.had;
    one.told = step.told;
    catchUp(one);
  });
  void save(one);
}

/** Makes a turn a text field. @param {Recording} one @param {number} turn */
export function openField(one, turn) {
  settle();
  const found = one.transcript.value.turns.find(({ id }) => id === turn);
  if (found) draft.value = { one, turn, text: textOf(found) };
}

/** @param {string} text what stands in the field now */
export function typed(text) {
  if (!draft.value) return;
  draft.value.text = text;
  saveSoon(draft.value.one);
}

/** Closes the text field, keeps what stands in it, and lets the text go on. @param {(transcript: Transcript) => Transcript} [then] what else the same edit does */
export function settle(then = (transcript) => transcript) {
  const open = draft.value;
  if (!open) return;
  batch(() => {
    draft.value = null;
    edit(open.one, then(rewritten(open.one.transcript.value, open.turn, open.text)));
    catchUp(open.one);
  });
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
