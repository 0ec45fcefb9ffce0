// @ts-check
// What this browser keeps of the recordings, in IndexedDB. All tabs of this page share it: without word from the others, a
// tab would write back a transcript that another one has deleted, or an older text of one.
import { del, get, keys, set } from '../../vendor/idb-keyval/index.js';
import { effect, signal } from '../../vendor/signals-core/signals-core.mjs';
import {
  adopt,
  BUSY,
  change,
  draft,
  freshId,
  isSame,
  make,
  recording,
  recordings,
  stepOf,
  whole,
} from './recordings.js';
import { store, stored } from './storage.js';

/** @typedef {import('./recordings.js').Recording} Recording */

const KEEP = 'antiphon-keep';
const PREFIX = 'transcript:';
const ASKED = 'antiphon-persist';
/** A text that changes all the time is kept so often. */
const SOON_MILLISECONDS = 5000;
const tabs = channel();

/** A lock has this and the name of the tab that holds it. */
const TAB = 'antiphon-tab:';
/** The name of this tab while it has work; it takes another one for later work, so that the end of each is noticed. */
let mine = '';
/** Gives the lock of this name back. */
let unlock = () => undefined;
/** Tabs whose end is waited for, or has come. @type {Set<string>} */
const watched = new Set();
/** Tabs that are gone. @type {Set<string>} */
const ended = new Set();

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
/** Resolves when all that other tabs have told is shown here, one after the other. @type {Promise<unknown>} */
let shown = Promise.resolve();
/** A recording that goes on elsewhere and has an open field here, and its text then. @type {{one: Recording, transcript: object} | null} */
let held = null;

export function watchTabs() {
  tabs.onmessage = ({ data }) => {
    if (data.saved) inTurn(() => reload(data.saved));
    if (data.asked) for (const one of busy()) if (data.asked.includes(one.id)) void save(one);
    for (const id of data.left ?? []) leftBehind(id);
    if (data.forgotten) {
      gone.add(data.forgotten);
      drop(recording(data.forgotten));
    }
    if (data.keep !== undefined) keep.value = data.keep;
  };
  // Storing takes longer than the page lives once it goes, so it begins as early as the browser tells.
  for (const name of ['beforeunload', 'pagehide']) window.addEventListener(name, keepNow);
  document.addEventListener('visibilitychange', keepNow);
  window.addEventListener('pagehide', () => {
    const left = recordings.value.filter((one) => one.events.length || BUSY.has(one.progress.value.phase));
    tabs.postMessage({ left: left.map((one) => one.id) });
  });
  effect(() => {
    if (!draft.value) release();
  });
}

/** @param {() => unknown} work */
function inTurn(work) {
  shown = shown.then(work).catch(() => undefined); // a storage that fails keeps nothing
}

/** Shows what was held back. An edit made here is on its way to the tab that transcribes, which adds what came since. */
function release() {
  const before = held;
  held = null;
  if (before && before.one.transcript.peek() === before.transcript) inTurn(() => reload(before.one.id));
}

const busy = () => recordings.value.filter((one) => BUSY.has(one.progress.value.phase));

/** Shows what a tab that is gone has kept of a recording. @param {string} id */
function leftBehind(id) {
  inTurn(() => reload(id, true));
  inTurn(() => end(recording(id)));
}

/**
 * The name of this tab for the others, which notice its end from now on. The browser releases the lock of a tab also when
 * that tab crashes; nothing else tells the other tabs of a crash. Browsers give locks over https and on this machine only.
 */
export function nameTab() {
  if (!mine && navigator.locks) {
    mine = freshId();
    const work = new Promise((resolve) => {
      unlock = () => void resolve(undefined);
    });
    void navigator.locks.request(TAB + mine, () => work).catch(() => undefined); // the user blocks the data of sites
  }
  return mine;
}

/** The work is done: the others need not wait for the end of this tab. */
export function unnameTab() {
  mine = '';
  unlock();
}

/** @param {string} tab as it has named itself; empty: it could not */
function watchEnd(tab) {
  if (!tab || tab === mine || !navigator.locks || watched.has(tab)) return;
  watched.add(tab);
  const over = () => {
    ended.add(tab);
    for (const { id } of recordings.value.filter((one) => one.tab === tab && one.progress.value.phase === 'elsewhere'))
      leftBehind(id);
  };
  void navigator.locks.request(TAB + tab, { mode: 'shared' }, over).catch(() => watched.delete(tab));
}

/** The tab that was transcribing it is gone. @param {Recording | undefined} one */
function end(one) {
  if (one?.progress.value.phase === 'elsewhere') change(one, { phase: 'stopped' });
}

/** @param {Recording} one */
export async function save(one) {
  clearTimeout(pending.get(one));
  pending.delete(one);
  const transcript = whole(one);
  // A text whose words were all deleted is kept; one that never had any is not.
  if (!keep.value || !(transcript.turns.length || transcript.seconds)) return;
  const { id, name, size, modified, added, tab, options: chosen } = one;
  const facts = { id, name, size, modified, added, tab, options: chosen, transcript, peaks: one.peaks.value };
  if (!recording(id)) return; // forgotten in the meantime
  const had = Math.max(one.had, one.events.length);
  try {
    await set(PREFIX + id, { ...facts, had, told: one.told, progress: { ...one.progress.value, failure: null } });
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
  one.events = []; // they are of the text before
  one.had = facts.had ?? 0;
  one.told = teller(facts);
  one.tab = facts.tab ?? '';
  one.peaks.value = facts.peaks ?? new Uint8Array();
  const open = alive && !ended.has(one.tab) ? 'elsewhere' : 'stopped';
  one.progress.value = { ...facts.progress, phase: unfinished(facts) ? open : facts.progress.phase };
  if (one.progress.value.phase === 'elsewhere') watchEnd(one.tab);
}

/**
 * Another tab has kept a transcript: this one shows it, so that a later edit here does not write an older text.
 * @param {string} id @param {boolean} [last] whether that tab is gone
 */
async function reload(id, last = false) {
  const before = recording(id)?.past.value;
  const facts = await get(PREFIX + id);
  const one = recording(id);
  if (!facts || gone.has(id)) return;
  if (!one) return list([filled(facts, true)]);
  // An edit that was made here in the meantime is kept after this one.
  if (before && one.past.value !== before) return;
  if (transcribes(one, facts)) return merge(one, facts);
  const comes = one.progress.value.phase === 'elsewhere' || unfinished(facts);
  if (comes && !last && draft.value?.one === one) {
    held ??= { one, transcript: one.transcript.value };
    return;
  }
  // Undo takes back edits, and not what came while it was transcribed.
  if (!isSame(one, facts)) one.past.value = comes ? [] : [...one.past.value, stepOf(one)];
  refill(one, facts, true);
}

/** The try that told a text; older pages did not keep it. @param {any} facts @returns {number} */
const teller = (facts) => facts.told ?? facts.progress.since;

/** Whether this tab has the stream of a text, or will have it. @param {Recording} one @param {any} facts */
function transcribes(one, facts) {
  const { phase, since } = one.progress.value;
  return BUSY.has(phase) || (one.events.length > 0 && facts.progress.since === since);
}

/** Another tab has edited what this one transcribes: the edit stays, unless a new try has told other text. @param {Recording} one @param {any} facts */
function merge(one, facts) {
  const { phase, since } = one.progress.value;
  const told = teller(facts);
  const fits = told === one.told || one.told !== since;
  if (fits && !isSame(one, facts)) adopt(one, { transcript: facts.transcript, had: facts.had ?? 0, told });
  if (!fits || facts.had !== one.had || facts.progress.phase !== phase) saveSoon(one);
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
