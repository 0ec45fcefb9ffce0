// @ts-check
// What a user may change in a transcript. Pure: each edit takes a transcript and returns the next one.
import { realigned } from './align.js';
import { endOf, received, startOf, textOf } from './model.js';

/**
 * @typedef {import('./model.js').Transcript} Transcript
 * @typedef {import('./model.js').Turn} Turn
 * @typedef {{transcript: Transcript, events: any[], had: number, told: number}} Step a text to go back to, the events of
 *   its stream, how many of them it had, and the try that told it
 */

/**
 * The text of a step with all that its stream has brought since then, as if it had stood there in the meantime.
 * @param {Omit<Step, 'told'>} step @returns {Transcript}
 */
export const caughtUp = ({ transcript, events, had }) =>
  events.slice(had).reduce((text, event) => received(text, event), transcript);

/** @param {Transcript} transcript @param {string} speaker @param {string} name @returns {Transcript} */
export function renamed(transcript, speaker, name) {
  const wanted = name.trim() === speaker ? '' : name.trim();
  if (wanted === (transcript.names[speaker] ?? '')) return transcript;
  const names = { ...transcript.names, [speaker]: wanted };
  if (!wanted) delete names[speaker];
  return { ...transcript, names };
}

/** @param {Transcript} transcript @param {string} from @param {string} into @returns {Transcript} */
export function merged(transcript, from, into) {
  return withTurns(transcript, (turn) => [turn.speaker === from ? { ...turn, speaker: into } : turn]);
}

/** @param {Transcript} transcript @param {number} id @param {string} text @returns {Transcript} */
export function rewritten(transcript, id, text) {
  const old = transcript.turns.find((turn) => turn.id === id);
  if (!old || textOf(old) === text.trim().split(/\s+/).join(' ')) return transcript;
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
  const old = transcript.turns.find((turn) => turn.id === id);
  if (!old || index <= 0 || index >= old.words.length) return transcript;
  const next = withTurns(transcript, (turn) => {
    if (turn.id !== id) return [turn];
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

/** Scripts that put no spaces between words: there, any place may be the edge of a word. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

/**
 * Replaces whole words everywhere, whatever their case: "Ann" does not change "Anna".
 * @param {Transcript} transcript @param {string} from @param {string} to
 * @returns {{transcript: Transcript, count: number}}
 */
export function replacedEverywhere(transcript, from, to) {
  const pattern = patternOf(from.trim());
  if (!pattern) return { transcript, count: 0 };
  let count = 0;
  const next = withTurns(transcript, (turn) => {
    const text = textOf(turn);
    const changed = text.replace(pattern, () => {
      count++;
      return to;
    });
    return changed === text ? [turn] : [{ ...turn, words: realigned(turn.words, changed, startOf(turn), endOf(turn)) }];
  });
  return count ? { transcript: next, count } : { transcript, count };
}

/** @param {string} text @returns {RegExp | null} */
function patternOf(text) {
  if (!text) return null;
  const escaped = text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&').replace(/\s+/g, '\\s+');
  const edge = (/** @type {string} */ letter) => /[\p{L}\p{N}]/u.test(letter) && !UNSPACED.test(letter);
  const letters = [...text];
  const before = edge(letters[0]) ? '(?<![\\p{L}\\p{N}])' : '';
  const after = edge(letters[letters.length - 1]) ? '(?![\\p{L}\\p{N}])' : '';
  return new RegExp(before + escaped + after, 'giu');
}

/** @param {Transcript} transcript @param {(turn: Turn) => Turn[]} change @returns {Transcript} */
function withTurns(transcript, change) {
  return { ...transcript, turns: transcript.turns.flatMap(change).filter((turn) => turn.words.length) };
}
