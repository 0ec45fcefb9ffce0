// @ts-check
// What a user may change in a transcript. Pure: each edit takes a transcript and returns the next one.
import { realigned } from './align.js';
import { endOf, startOf } from './model.js';

/**
 * @typedef {import('./model.js').Transcript} Transcript
 * @typedef {import('./model.js').Turn} Turn
 */

/** @param {Transcript} transcript @param {string} speaker @param {string} name @returns {Transcript} */
export function renamed(transcript, speaker, name) {
  const names = { ...transcript.names, [speaker]: name.trim() };
  if (!names[speaker]) delete names[speaker];
  return { ...transcript, names };
}

/** @param {Transcript} transcript @param {string} from @param {string} into @returns {Transcript} */
export function merged(transcript, from, into) {
  return withTurns(transcript, (turn) => [turn.speaker === from ? { ...turn, speaker: into } : turn]);
}

/** @param {Transcript} transcript @param {number} id @param {string} text @returns {Transcript} */
export function rewritten(transcript, id, text) {
  return withTurns(transcript, (turn) =>
    turn.id === id ? [{ ...turn, words: realigned(turn.words, text, startOf(turn), endOf(turn)) }] : [turn],
  );
}

/** @param {Transcript} transcript @param {number} id @param {string} speaker @returns {Transcript} */
export function reassigned(transcript, id, speaker) {
  return withTurns(transcript, (turn) => [turn.id === id ? { ...turn, speaker } : turn]);
}

/**
 * Cuts a turn in two before its word `index`.
 * @param {Transcript} transcript @param {number} id @param {number} index @returns {Transcript}
 */
export function split(transcript, id, index) {
  const next = withTurns(transcript, (turn) => {
    if (turn.id !== id || index <= 0 || index >= turn.words.length) return [turn];
    return [
      { ...turn, words: turn.words.slice(0, index) },
      { ...turn, id: transcript.next, words: turn.words.slice(index) },
    ];
  });
  return { ...next, next: transcript.next + 1 };
}

/** Joins a turn to the one before it. @param {Transcript} transcript @param {number} id @returns {Transcript} */
export function joined(transcript, id) {
  const at = transcript.turns.findIndex((turn) => turn.id === id);
  if (at <= 0) return transcript;
  const before = transcript.turns[at - 1];
  const whole = { ...before, words: [...before.words, ...transcript.turns[at].words] };
  return { ...transcript, turns: [...transcript.turns.slice(0, at - 1), whole, ...transcript.turns.slice(at + 1)] };
}

/**
 * Replaces a text everywhere, whatever its case.
 * @param {Transcript} transcript @param {string} from @param {string} to
 * @returns {{transcript: Transcript, count: number}}
 */
export function replacedEverywhere(transcript, from, to) {
  const escaped = from.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  if (!escaped) return { transcript, count: 0 };
  const pattern = new RegExp(escaped.replace(/\s+/g, '\\s+'), 'giu');
  let count = 0;
  const next = withTurns(transcript, (turn) => {
    const text = turn.words.map((word) => word.text).join(' ');
    const changed = text.replace(pattern, () => {
      count++;
      return to;
    });
    return changed === text ? [turn] : [{ ...turn, words: realigned(turn.words, changed, startOf(turn), endOf(turn)) }];
  });
  return { transcript: next, count };
}

/** @param {Transcript} transcript @param {(turn: Turn) => Turn[]} change @returns {Transcript} */
function withTurns(transcript, change) {
  return { ...transcript, turns: transcript.turns.flatMap(change).filter((turn) => turn.words.length) };
}
