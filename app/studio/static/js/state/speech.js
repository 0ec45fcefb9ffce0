// @ts-check
// Speech that is made part by part and heard while it comes. What there is stays, whatever ended it, and can be completed.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { failureOfAny } from '../api/client.js';
import { speakFile, speakStream } from '../api/speech.js';
import { GrowingSound } from '../sound/growing.js';
import { parts } from '../sound/parts.js';
import { PcmPlayer } from '../sound/pcm.js';
import { about } from './app.js';

/**
 * @template T
 * @typedef {import('../../vendor/signals-core/signals-core.mjs').Signal<T>} Signal
 */
/**
 * @typedef {{voice: string, cut: readonly string[], speed: number, sound: GrowingSound, first: number, requestId: string,
 *   done: number, mark: number}} Spoken `cut`: the text, in parts that one request may hold; `done`: how many of them are
 *   spoken, `mark`: the bytes of those; `first`: seconds until the first sound
 * @typedef {import('../api/client.js').ApiFailure} ApiFailure
 * @typedef {{kind: 'part' | 'heard', take: Spoken} | {kind: 'full', until: number} | {kind: 'again'}} Step what is done now
 * @typedef {{step: Step, making: boolean, stop: () => void}} Busy `making`: speech is being made, and not only heard
 * @typedef {{takes: readonly Spoken[], kept: boolean, listed: boolean}} Job `kept`: its takes are listed; `listed`: one was
 */

const MODEL = 'gpt-4o-mini-tts';

export const speed = signal(1);
export const format = signal('wav');
/** @type {Signal<Busy | null>} */
export const busy = signal(null);
/** The file that is being fetched. @type {Signal<{name: string, stop: () => void} | null>} */
export const fetching = signal(null);
/** @type {Signal<readonly Spoken[]>} */
export const takes = signal([]);
/** What went wrong, and how to go on from there. @type {Signal<{wrong: ApiFailure, again: () => void} | null>} */
export const failed = signal(null);

/** @param {Spoken} take @param {string} input */
export const bodyOf = (take, input) => ({
  model: MODEL,
  voice: take.voice,
  input,
  speed: take.speed,
  response_format: format.value,
});

/** Characters that one request may hold. */
export const limit = () => about.value?.limits.input_characters ?? 4096;

/**
 * Speaks with one voice after the other; what is spoken now ends.
 * @param {readonly string[]} names @param {string} input @param {boolean} [kept] whether the results are listed
 */
export function speakAll(names, input, kept = true) {
  const cut = parts(input, limit());
  const made = names.map((voice) => {
    const sound = new GrowingSound();
    return { voice, cut, speed: speed.value, sound, first: 0, requestId: '', done: 0, mark: 0 };
  });
  return run({ takes: made, kept, listed: false });
}

/** Makes what is missing of a job. @param {Job} job */
async function run(job) {
  busy.value?.stop();
  const stop = new AbortController();
  const halt = () => {
    busy.value = null;
    stop.abort();
  };
  const tell = (/** @type {Step} */ step, making = job.takes.some(isOpen)) => {
    busy.value = { step, making, stop: halt };
  };
  failed.value = null;
  try {
    for (const take of job.takes.filter(isOpen)) {
      take.sound.cut(take.mark);
      const player = new PcmPlayer(take.sound, take.mark);
      stop.signal.addEventListener('abort', () => void player.close());
      const wrong = await spoken(take, stop.signal, tell);
      take.sound.whole = true;
      list(job, take);
      if (stop.signal.aborted) return;
      if (wrong) failed.value = { wrong, again: () => void run(job) };
      tell({ kind: 'heard', take }, !wrong && job.takes.some(isOpen));
      await player.heard;
      if (wrong) return;
    }
  } finally {
    if (!stop.signal.aborted) busy.value = null;
  }
}

/** Whether parts of it are missing. @param {Spoken} take */
export const isOpen = (take) => take.done < take.cut.length;

/** What there is of a take is listed; the first one of a job takes the place of earlier results. @param {Job} job @param {Spoken} take */
function list(job, take) {
  if (!job.kept || !take.sound.size) return;
  const others = job.listed ? takes.value.filter((one) => one !== take) : [];
  takes.value = [...others, take];
  job.listed = true;
}

/** Makes the parts of a take that are missing. @param {Spoken} take @param {AbortSignal} signal @param {(step: Step) => void} tell @returns {Promise<ApiFailure | null>} why it ended early */
async function spoken(take, signal, tell) {
  const began = performance.now();
  const heard = (/** @type {Uint8Array} */ data) => {
    take.first ||= (performance.now() - began) / 1000;
    take.sound.add(data);
  };
  while (isOpen(take)) {
    tell({ kind: 'part', take });
    try {
      const { requestId } = await speakStream(bodyOf(take, take.cut[take.done]), heard, signal);
      take.requestId ||= requestId; // the call that is shown is that of the first part
      take.mark = take.sound.size;
      take.done += 1;
    } catch (wrong) {
      const failure = failureOfAny(wrong);
      if (signal.aborted || failure.status !== 429) return failure;
      const pause = Math.max(1, failure.retryAfter) * 1000;
      tell({ kind: 'full', until: Date.now() + pause });
      await rest(pause, signal);
    }
    if (signal.aborted) return failureOfAny(signal.reason);
  }
  return null;
}

/** @param {number} milliseconds @param {AbortSignal} signal ends it early */
function rest(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

/** Plays a take again, and stops the one that is playing. @param {Spoken} take */
export async function replay(take) {
  busy.value?.stop();
  const player = new PcmPlayer(take.sound);
  /** @type {Busy} */
  const mine = { step: { kind: 'again' }, making: false, stop: () => void player.close() };
  busy.value = mine;
  await player.heard;
  if (busy.value === mine) busy.value = null;
}

/**
 * The file of a take of one part, made anew in the format that is chosen.
 * @param {Spoken} take @param {string} name of the file @param {() => void} again tries it once more
 * @returns {Promise<Blob | null>} null: it was stopped, or failed
 */
export async function fetched(take, name, again) {
  const stop = new AbortController();
  const mine = { name, stop: () => stop.abort() };
  fetching.value?.stop();
  fetching.value = mine;
  failed.value = null;
  try {
    return await speakFile(bodyOf(take, take.cut[0]), stop.signal);
  } catch (wrong) {
    if (!stop.signal.aborted) failed.value = { wrong: failureOfAny(wrong), again };
    return null;
  } finally {
    if (fetching.value === mine) fetching.value = null;
  }
}
