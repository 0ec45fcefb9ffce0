// @ts-check
// What this browser keeps of the recordings, in IndexedDB. All tabs of this page share it: without word from the others, a
// tab would write back a transcript that another one has deleted, or an older text of one.
import { del, get, keys, set } from '../../vendor/idb-keyval/index.js';
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { BUSY, make, recording, recordings } from './recordings.js';
import { store, stored } from './storage.js';

/** @typedef {import('./recordings.js').Recording} Recording */

const KEEP = 'antiphon-keep';
const PREFIX = 'transcript:';
const ASKED = 'antiphon-persist';
const tabs = channel();

/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<boolean>} */
export const keep = signal(stored('local', KEEP) !== 'never');
/** Whether the browser could not keep the last text: its storage is full, or the user blocks it. */
export const unkept = signal(false);

/** The recordings that were forgotten since this page was opened, in any tab. @type {Set<string>} */
const gone = new Set();
/** @type {Promise<void> | undefined} */
let restoring;

export function watchTabs() {
  tabs.onmessage = ({ data }) => {
    if (data.saved) void reload(data.saved);
    if (data.forgotten) {
      gone.add(data.forgotten);
      recordings.value = recordings.value.filter((one) => one.id !== data.forgotten);
    }
    if (data.keep !== undefined) keep.value = data.keep;
  };
}

/** @param {Recording} one */
export async function save(one) {
  if (!keep.value || !one.transcript.value.turns.length) return;
  const { id, name, size, modified, options: chosen } = one;
  const facts = { id, name, size, modified, options: chosen, transcript: one.transcript.value, peaks: one.peaks.value };
  if (!recording(id)) return; // forgotten in the meantime
  try {
    await set(PREFIX + id, { ...facts, progress: { ...one.progress.value, failure: null } });
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

/** @param {string} id */
export async function unkeep(id) {
  gone.add(id);
  await del(PREFIX + id).catch(() => undefined); // blocked storage keeps nothing
  tabs.postMessage({ forgotten: id });
}

/** Loads the recordings that this browser kept, once. Resolves also where its storage cannot be read. */
export const restored = () => (restoring ??= restore().catch(() => undefined));

async function restore() {
  if (!keep.value) return;
  const names = (await keys()).filter((name) => String(name).startsWith(PREFIX));
  const stored = await Promise.all(names.map((name) => get(name)));
  // In the meantime a file may have been dropped, and another tab may have told of a transcript or forgotten one.
  const fresh = stored.filter((facts) => facts && !recording(facts.id) && !gone.has(facts.id));
  const kept = fresh.map((facts) => refill(make(facts.id, facts.name, facts.size, facts.modified, null), facts));
  recordings.value = [...kept, ...recordings.value];
}

/** @param {Recording} one @param {any} facts as they were kept @returns {Recording} */
function refill(one, facts) {
  one.options = facts.options;
  one.transcript.value = facts.transcript;
  one.peaks.value = facts.peaks ?? new Uint8Array();
  const { phase } = facts.progress;
  one.progress.value = { ...facts.progress, phase: BUSY.has(phase) ? 'stopped' : phase };
  return one;
}

/** Another tab has kept a transcript: this one shows it, so that a later edit here does not write an older text. @param {string} id */
async function reload(id) {
  const facts = await get(PREFIX + id);
  const one = recording(id);
  if (!facts || gone.has(id) || (one && BUSY.has(one.progress.value.phase))) return;
  if (one) {
    one.past.value = [...one.past.value, one.transcript.value];
    refill(one, facts);
  } else
    recordings.value = [...recordings.value, refill(make(id, facts.name, facts.size, facts.modified, null), facts)];
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
  const names = (await keys().catch(() => [])).filter((name) => String(name).startsWith(PREFIX));
  await Promise.all(names.map((name) => del(name)));
}
