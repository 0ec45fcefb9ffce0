// A transcript grows, gets its speakers, and never moves a word.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  EMPTY,
  nameOf,
  received,
  shares,
  speakers,
  textOf,
  withSpeaker,
  withWords,
} from '../../../app/studio/static/js/transcript/model.js';
import { randomFrom } from './random.mjs';

/** `count` words of half a second, one a second from `start` on. */
const words = (count, start = 0) =>
  Array.from({ length: count }, (_, index) => ({
    text: `w${start + index}`,
    start: start + index,
    end: start + index + 0.5,
  }));
const flat = (transcript) => transcript.turns.flatMap((turn) => turn.words);
const ids = (transcript) => transcript.turns.map((turn) => turn.id);

test('words of a delta become a paragraph, and a pause begins the next', () => {
  const first = withWords(EMPTY, words(3));
  const next = withWords(first, words(2, 10));
  assert.deepEqual(next.turns.map(textOf), ['w0 w1 w2', 'w10 w11']);
  assert.equal(next.seconds, 11.5);
  assert.equal(first.turns.length, 1, 'the older value is untouched');
});

test('a paragraph of eighty words ends with its sentence', () => {
  const long = words(100).map((word, index) => (index === 89 ? { ...word, text: 'end.' } : word));
  assert.deepEqual(
    withWords(EMPTY, long).turns.map((turn) => turn.words.length),
    [90, 10],
  );
});

test('a delta without words is cut at its spaces', () => {
  const next = received(EMPTY, { type: 'transcript.text.delta', delta: ' Hello  there', start: 1, end: 2 });
  assert.deepEqual(
    flat(next).map((word) => word.text),
    ['Hello', 'there'],
  );
});

test('unknown events change nothing', () => {
  assert.equal(received(EMPTY, { type: 'antiphon.future', anything: 1 }), EMPTY);
});

test('a segment in the middle of a paragraph cuts it in three, with ids of their own', () => {
  const told = withSpeaker(withWords(EMPTY, words(9)), { start: 3, end: 5.6, speaker: 'A' });
  assert.deepEqual(
    told.turns.map((turn) => [turn.speaker, textOf(turn)]),
    [
      ['', 'w0 w1 w2'],
      ['A', 'w3 w4 w5'],
      ['', 'w6 w7 w8'],
    ],
  );
  assert.equal(new Set(ids(told)).size, 3);
  assert.ok(told.next > Math.max(...ids(told)));
});

test('the same speaker goes on in one turn across paragraphs', () => {
  let told = withWords(withWords(EMPTY, words(3)), words(3, 10));
  told = withSpeaker(told, { start: 0, end: 2.5, speaker: 'A' });
  told = withSpeaker(told, { start: 10, end: 12.5, speaker: 'A' });
  assert.deepEqual(
    told.turns.map((turn) => [turn.speaker, turn.words.length]),
    [['A', 6]],
  );
});

test('a word that has a speaker keeps it', () => {
  let told = withSpeaker(withWords(EMPTY, words(4)), { start: 0, end: 1.6, speaker: 'A' });
  told = withSpeaker(told, { start: 0, end: 4, speaker: 'B' });
  assert.deepEqual(
    told.turns.map((turn) => [turn.speaker, textOf(turn)]),
    [
      ['A', 'w0 w1'],
      ['B', 'w2 w3'],
    ],
  );
});

test('any segments in any order: no word moves, none is lost, ids are unique', () => {
  const random = randomFrom(7);
  for (let round = 0; round < 200; round++) {
    const all = words(40).map((word) => ({ ...word, text: random(9) ? word.text : `${word.text}.` }));
    let told = withWords(EMPTY, all);
    for (let index = 0; index < 15; index++) {
      const start = random(40);
      told = withSpeaker(told, { start, end: start + random(9), speaker: 'ABC'[random(3)] });
      if (!random(4)) told = withWords(told, []);
    }
    assert.deepEqual(flat(told), all);
    assert.equal(new Set(ids(told)).size, told.turns.length);
    assert.ok(told.turns.every((turn) => turn.words.length));
  }
});

test('two hours: work grows with the words, not with their square', () => {
  // Counted in words that are copied, because times depend on the machine: a turn is copied when it changes.
  let told = EMPTY;
  for (let index = 0; index < 1_500; index++) told = withWords(told, words(9, index * 12));
  let copied = 0;
  for (let index = 0; index < 1_500; index++) {
    const before = new Set(told.turns);
    told = withSpeaker(told, { start: index * 12, end: index * 12 + 9, speaker: 'AB'[index % 2] });
    copied += told.turns.filter((turn) => !before.has(turn)).reduce((sum, turn) => sum + turn.words.length, 0);
  }
  assert.equal(told.turns.length, 1_500);
  assert.ok(copied <= 2 * 13_500, `${copied} words were copied`);
});

test('shares and names', () => {
  let told = withSpeaker(withWords(EMPTY, words(4)), { start: 0, end: 2.6, speaker: 'A' });
  told = withSpeaker(told, { start: 3, end: 4, speaker: 'B' });
  assert.deepEqual(speakers(told), ['A', 'B']);
  assert.equal(
    [...shares(told).values()].reduce((sum, value) => sum + value, 0),
    1,
  );
  assert.equal(nameOf({ ...told, names: { A: 'Anna' } }, 'A'), 'Anna');
});
