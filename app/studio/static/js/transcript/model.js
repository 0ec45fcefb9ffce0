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
 * Adds words without a speaker, in paragraphs.
 * @param {Transcript} transcript
 * @param {readonly Word[]} words
 * @returns {Transcript}
 */
export function withWords(transcript, words) {
  if (!words.length) return transcript;
  const turns = [...transcript.turns];
  let next = transcript.next;
  /** @type {Turn | undefined} */
  let last = turns.pop();
  let open = last ? [...last.words] : [];
  for (const word of words) {
    if (last && !startsParagraph(last.speaker, open, word)) open.push(word);
    else {
      if (last) turns.push({ ...last, words: open });
      open = [word];
      last = { id: next++, speaker: '', words: open };
    }
  }
  if (last) turns.push({ ...last, words: open });
  const end = Math.max(transcript.seconds, ...words.map((word) => word.end));
  return { ...transcript, turns, next, seconds: end };
}

/** @param {string} speaker @param {readonly Word[]} words @param {Word} word */
function startsParagraph(speaker, words, word) {
  const last = words.at(-1);
  if (!last) return false;
  return speaker !== '' || word.start - last.end > PARAGRAPH_PAUSE || isFull(words);
}

/** Whether a paragraph has enough words and ends with its sentence. @param {readonly Word[]} words */
function isFull(words) {
  return words.length >= PARAGRAPH_WORDS && /[.!?…。！？]$/u.test(words[words.length - 1].text);
}

/**
 * Gives the words between a segment's times to its speaker. No word changes its time. Only turns that the segment
 * touches are looked at, so that thousands of segments over thousands of turns take milliseconds.
 * @param {Transcript} transcript
 * @param {{start: number, end: number, speaker: string}} segment
 * @returns {Transcript}
 */
export function withSpeaker(transcript, segment) {
  const { turns } = transcript;
  const from = firstTurn(turns, (turn) => endOf(turn) >= segment.start);
  const until = firstTurn(turns, (turn) => startOf(turn) > segment.end);
  const counter = { next: transcript.next };
  const changed = turns.slice(from, until).flatMap((turn) => shared(turn, segment, counter));
  // The turn before comes too: where it is of the same speaker, the words go on in it.
  const first = Math.max(0, from - 1);
  const joined = joinedRuns([...turns.slice(first, from), ...changed]);
  return { ...transcript, ...counter, told: true, turns: [...turns.slice(0, first), ...joined, ...turns.slice(until)] };
}

/**
 * A turn as runs of words in and out of a segment. The first run keeps the id of the turn.
 * @param {Turn} turn @param {{start: number, end: number, speaker: string}} segment @param {{next: number}} counter
 * @returns {Turn[]}
 */
function shared(turn, segment, counter) {
  if (turn.speaker !== '') return [turn];
  /** @type {Array<{speaker: string, words: Word[]}>} */
  const runs = [];
  for (const word of turn.words) {
    const middle = (word.start + word.end) / 2;
    const speaker = middle >= segment.start && middle < segment.end + 1e-6 ? segment.speaker : '';
    const last = runs.at(-1);
    if (last && last.speaker === speaker) last.words.push(word);
    else runs.push({ speaker, words: [word] });
  }
  return runs.map((run, index) => ({ ...run, id: index ? counter.next++ : turn.id }));
}

/** Joins neighbours of one speaker into paragraphs; paragraphs without a speaker stay apart. @param {readonly Turn[]} turns @returns {Turn[]} */
function joinedRuns(turns) {
  /** @type {Turn[]} */
  const all = [];
  for (const turn of turns) {
    const last = all.at(-1);
    const goesOn = last?.speaker && last.speaker === turn.speaker && !isFull(last.words);
    if (goesOn) all[all.length - 1] = { ...last, words: [...last.words, ...turn.words] };
    else all.push(turn);
  }
  return all;
}

/**
 * Index of the first turn for which `test` holds, by halving: turns are in order of their times.
 * @param {readonly Turn[]} turns @param {(turn: Turn) => boolean} test
 */
function firstTurn(turns, test) {
  let low = 0;
  let high = turns.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(turns[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
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
