// @ts-check
// What this browser keeps of the recordings, in IndexedDB. All tabs of this page share it: without word from the others, a
// tab would write back a transcript that another one has deleted, or an older text of one.
import { del, get, keys, set } from '../../vendor/idb-keyval/index.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { BUSY, catchUp, change, draft, make, recording, recordings, stepOf, whole } from './recordings.js';
import { store, stored } from './storage.js';

/** @typedef {import('./recordings.js').Recording} Recording */

const KEEP = 'antiphon-keep';
const PREFIX = 'transcript:';
const ASKED = 'antiphon-persist';
/** A text that changes all the time is kept so often. */
const SOON_MILLISECONDS = 5000;
const tabs = channel();

/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<boolean>} */
export const keep = signal(stored('local', KEEP) !== 'never');
/** Whether the browser could not keep the last text: its storage is full, or the user blocks it. */
export const unkept = signal(false);

/** The recordings that were forgotten since this page was opened, in any tab. @type {Set<string>} */
const gone = new Set();
/** What is kept soon. @type {Map<Recording, ReturnType<typeof setTimeout>>} */
const pending = new Map();
/** @type {Promise<void> | undefined} */
let restoring;

export function watchTabs() {
  tabs.onmessage = ({ data }) => {
    if (data.saved) void reload(data.saved);
    if (data.asked) for (const one of busy()) if (data.asked.includes(one.id)) void save(one);
    for (const id of data.left ?? []) ended(recording(id));
    if (data.forgotten) {
      gone.add(data.forgotten);
      drop(recording(data.forgotten));
    }
    if (data.keep !== undefined) keep.value = data.keep;
  };
  // Storing takes longer than the page lives once it goes, so it begins as early as the browser tells.
  for (const name of ['beforeunload', 'pagehide']) window.addEventListener(name, keepNow);
  document.addEventListener('visibilitychange', keepNow);
  window.addEventListener('pagehide', () => tabs.postMessage({ left: busy().map((one) => one.id) }));
}

const busy = () => recordings.value.filter((one) => BUSY.has(one.progress.value.phase));

/** The tab that was transcribing it is gone. @param {Recording | undefined} one */
function ended(one) {
  if (one?.progress.value.phase === 'elsewhere') change(one, { phase: 'stopped' });
}

/** @param {Recording} one */
export async function save(one) {
  clearTimeout(pending.get(one));
  pending.delete(one);
  const transcript = whole(one);
  // A text whose words were all deleted is kept; one that never had any is not.
  if (!keep.value || !(transcript.turns.length || transcript.seconds)) return;
  const { id, name, size, modified, added, options: chosen } = one;
  const facts = { id, name, size, modified, added, options: chosen, transcript, peaks: one.peaks.value };
  if (!recording(id)) return; // forgotten in the meantime
  const had = Math.max(one.had, one.events.length);
  try {
    await set(PREFIX + id, { ...facts, had, progress: { ...one.progress.value, failure: null } });
  } catch {
    unkept.value = true;
    return;
  }
  unkept.value = false;
  tabs.postMessage({ saved: id });
  persist();
}

/** Asks the browser once not to clear away what is kept here; some browsers then ask the user. */
function persist() {
  if (stored('local', ASKED)) return;
  store('local', ASKED, 'yes');
  void navigator.storage?.persist?.().catch(() => undefined);
}

/** Where the user blocks the data of sites, there may be no word between tabs either. @returns {Pick<BroadcastChannel, 'onmessage' | 'postMessage'>} */
function channel() {
  try {
    return new BroadcastChannel('antiphon');
  } catch {
    return { onmessage: null, postMessage: () => undefined };
  }
}

/** @param {Recording} one */
export function saveSoon(one) {
  if (!pending.has(one))
    pending.set(
      one,
      setTimeout(() => void save(one), SOON_MILLISECONDS),
    );
}

function keepNow() {
  for (const one of pending.keys()) void save(one);
}

/** Ends the work on a recording and takes it out of the list. @param {Recording | undefined} one */
export function drop(one) {
  if (!one) return;
  one.stop.abort();
  if (draft.value?.one === one) draft.value = null;
  recordings.value = recordings.value.filter((other) => other !== one);
}

/** @param {string} id */
export async function unkeep(id) {
  gone.add(id);
  try {
    await del(PREFIX + id);
  } catch {
    // Blocked storage keeps nothing.
  }
  tabs.postMessage({ forgotten: id });
}

/** Loads the recordings that this browser kept, once. Resolves also where its storage cannot be read. */
export const restored = () => (restoring ??= restore().catch(() => undefined));

async function namesKept() {
  return (await keys()).filter((name) => String(name).startsWith(PREFIX));
}

async function restore() {
  if (!keep.value) return;
  const names = await namesKept();
  const stored = await Promise.all(names.map((name) => get(name)));
  // In the meantime a file may have been dropped, and another tab may have told of a transcript or forgotten one.
  const fresh = stored.filter((facts) => facts && !recording(facts.id) && !gone.has(facts.id));
  list(fresh.map((facts) => filled(facts, false)));
  const asked = fresh.filter((facts) => unfinished(facts)).map((facts) => facts.id);
  if (asked.length) tabs.postMessage({ asked });
}

/** Adds recordings to the list, which is in the order in which they were added. @param {readonly Recording[]} more */
function list(more) {
  recordings.value = [...recordings.value, ...more].sort((one, other) => one.added - other.added);
}

/** Whether a tab was transcribing it when it was kept. @param {any} facts */
const unfinished = ({ progress: { phase } }) => phase === 'elsewhere' || BUSY.has(phase);

/** A recording as it was kept. @param {any} facts @param {boolean} alive whether a tab has just told of it */
function filled(facts, alive) {
  const { id, name, size, modified, added, progress } = facts;
  const one = make(id, name, size, modified, null, added ?? (progress.since || modified));
  refill(one, facts, alive);
  return one;
}

/** @param {Recording} one @param {any} facts as they were kept @param {boolean} alive whether a tab has just told of it */
function refill(one, facts, alive) {
  one.options = facts.options;
  one.transcript.value = facts.transcript;
  one.had = facts.had ?? 0;
  one.peaks.value = facts.peaks ?? new Uint8Array();
  const open = alive ? 'elsewhere' : 'stopped';
  one.progress.value = { ...facts.progress, phase: unfinished(facts) ? open : facts.progress.phase };
}

/** Another tab has kept a transcript: this one shows it, so that a later edit here does not write an older text. @param {string} id */
async function reload(id) {
  const facts = await get(PREFIX + id);
  const one = recording(id);
  if (!facts || gone.has(id)) return;
  if (!one) return list([filled(facts, true)]);
  const { phase, since } = one.progress.value;
  if (BUSY.has(phase)) return facts.progress.since === since ? merge(one, facts) : undefined;
  // Undo takes back edits, and not what came while it was transcribed.
  if (phase !== 'elsewhere' && !unfinished(facts)) one.past.value = [...one.past.value, stepOf(one)];
  refill(one, facts, true);
}

/** Another tab has edited what this one is transcribing: the edit stays, and what has come since is added to it. @param {Recording} one @param {any} facts */
function merge(one, facts) {
  one.past.value = [...one.past.value, stepOf(one)];
  one.transcript.value = facts.transcript;
  one.had = facts.had;
  catchUp(one);
}

/** Whether transcripts are kept from now on. Turning it off takes those that are kept out of the browser's storage. @param {boolean} on */
export async function setKeep(on) {
  keep.value = on;
  tabs.postMessage({ keep: on });
  if (on) {
    store('local', KEEP, null);
    await Promise.all(recordings.value.map(save));
    return;
  }
  store('local', KEEP, 'never');
  const names = await namesKept().catch(() => []);
  await Promise.all(names.map((name) => del(name)));
}
