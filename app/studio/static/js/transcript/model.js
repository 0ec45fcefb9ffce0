// @ts-check
// A transcript as a value: words with times, turns of speakers. Pure; every function returns a new transcript.

/**
 * @typedef {{text: string, start: number, end: number}} Word seconds from the beginning of the recording
 * @typedef {{id: number, speaker: string, words: readonly Word[]}} Turn `speaker` is empty until it is known
 * @typedef {{turns: readonly Turn[], names: Readonly<Record<string, string>>, language: string, seconds: number,
 *   told: boolean, next: number}} Transcript `told`: whether speakers are known; `next`: the id of the next turn
 */

/** A pause of so many seconds begins a new paragraph while speakers are unknown. */
const PARAGRAPH_PAUSE = 2;
/** A paragraph of so many words ends with its sentence. */
const PARAGRAPH_WORDS = 80;

/** @type {Transcript} */
export const EMPTY = { turns: [], names: {}, language: '', seconds: 0, told: false, next: 1 };

/**
 * What a stream event changes.
 * @param {Transcript} transcript
 * @param {any} event
 * @returns {Transcript}
 */
export function received(transcript, event) {
  if (event.type === 'transcript.text.delta') return withWords(transcript, wordsOf(event));
  if (event.type === 'transcript.text.segment') return withSpeaker(transcript, event);
  if (event.type === 'transcript.text.done') return { ...transcript, language: event.languages?.[0]?.code ?? '' };
  return transcript;
}

/**
 * @param {any} event
 * @returns {Word[]}
 */
function wordsOf(event) {
  if (event.words?.length) {
    return event.words.map((/** @type {any} */ word) => ({
      text: String(word.word ?? word.text).trim(),
      start: word.start,
      end: word.end,
    }));
  }
  const start = event.start ?? 0;
  return String(event.delta ?? '')
    .split(/\s+/)
    .filter(Boolean)
    .map((text) => ({ text, start, end: event.end ?? start }));
}

/**
 * Adds words of nobody yet, in paragraphs.
 * @param {Transcript} transcript
 * @param {readonly Word[]} words
 * @returns {Transcript}
 */
export function withWords(transcript, words) {
  const turns = [...transcript.turns];
  let next = transcript.next;
  for (const word of words) {
    const last = turns.at(-1);
    if (!last || startsParagraph(last, word)) turns.push({ id: next++, speaker: '', words: [word] });
    else turns[turns.length - 1] = { ...last, words: [...last.words, word] };
  }
  const end = words.at(-1)?.end ?? 0;
  return { ...transcript, turns, next, seconds: Math.max(transcript.seconds, end) };
}

/** @param {Turn} turn @param {Word} word */
function startsParagraph(turn, word) {
  const last = turn.words.at(-1);
  if (!last) return false;
  const ended = /[.!?…。！？]$/u.test(last.text);
  return turn.speaker !== '' || word.start - last.end > PARAGRAPH_PAUSE || (turn.words.length >= PARAGRAPH_WORDS && ended);
}

/**
 * Gives the words between a segment's times to its speaker. No word changes its time.
 * @param {Transcript} transcript
 * @param {{start: number, end: number, speaker: string}} segment
 * @returns {Transcript}
 */
export function withSpeaker(transcript, segment) {
  const inside = (/** @type {Word} */ word) => {
    const middle = (word.start + word.end) / 2;
    return middle >= segment.start && middle < segment.end + 1e-6;
  };
  let next = transcript.next;
  /** @type {Turn[]} */
  const turns = [];
  const push = (/** @type {string} */ speaker, /** @type {Word} */ word, /** @type {Turn} */ from) => {
    const last = turns.at(-1);
    const joins = last && last.speaker === speaker && (speaker !== '' || last.id === from.id);
    if (joins) turns[turns.length - 1] = { ...last, words: [...last.words, word] };
    else turns.push({ id: turns.some((turn) => turn.id === from.id) ? next++ : from.id, speaker, words: [word] });
  };
  for (const turn of transcript.turns) {
    if (turn.words.length && outside(turn, segment)) turns.push(turn);
    else for (const word of turn.words) push(turn.speaker === '' && inside(word) ? segment.speaker : turn.speaker, word, turn);
  }
  return { ...transcript, turns: turns.filter((turn) => turn.words.length), next, told: true };
}

/** @param {Turn} turn @param {{start: number, end: number}} segment */
function outside(turn, segment) {
  const first = turn.words[0];
  const last = turn.words[turn.words.length - 1];
  return last.end < segment.start || first.start > segment.end;
}

/** @param {Turn} turn */
export const startOf = (turn) => turn.words[0]?.start ?? 0;
/** @param {Turn} turn */
export const endOf = (turn) => turn.words.at(-1)?.end ?? 0;
/** @param {Turn} turn */
export const textOf = (turn) => turn.words.map((word) => word.text).join(' ');

/** @param {Transcript} transcript @returns {string[]} the letters or names of all speakers, by first appearance */
export function speakers(transcript) {
  return [...new Set(transcript.turns.map((turn) => turn.speaker).filter(Boolean))];
}

/** @param {Transcript} transcript @param {string} speaker @returns {string} */
export function nameOf(transcript, speaker) {
  return transcript.names[speaker] ?? speaker;
}

/** @param {Transcript} transcript @returns {Map<string, number>} share of the time that each speaks, 0..1 */
export function shares(transcript) {
  /** @type {Map<string, number>} */
  const seconds = new Map();
  for (const turn of transcript.turns) {
    if (turn.speaker) seconds.set(turn.speaker, (seconds.get(turn.speaker) ?? 0) + endOf(turn) - startOf(turn));
  }
  const all = [...seconds.values()].reduce((sum, value) => sum + value, 0) || 1;
  return new Map([...seconds].map(([speaker, value]) => [speaker, value / all]));
}

/** @param {Transcript} transcript @returns {number} */
export function wordCount(transcript) {
  return transcript.turns.reduce((sum, turn) => sum + turn.words.length, 0);
}
