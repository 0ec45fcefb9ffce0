// Edits and times: what was not touched stays where it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matches, realigned } from '../../../app/studio/static/js/transcript/align.js';
import {
  joined,
  merged,
  reassigned,
  renamed,
  replacedEverywhere,
  rewritten,
  split,
} from '../../../app/studio/static/js/transcript/edits.js';
import { EMPTY, textOf, withWords } from '../../../app/studio/static/js/transcript/model.js';
import { randomFrom } from './random.mjs';

const spoken = (text, start = 0) =>
  text.split(' ').map((word, index) => ({ text: word, start: start + index, end: start + index + 0.8 }));
const transcript = (...texts) => texts.reduce((all, text, index) => withWords(all, spoken(text, index * 100)), EMPTY);
const rising = (words) =>
  words.every((word, index) => word.end >= word.start && (!index || word.start >= words[index - 1].start));

test('unchanged words keep their times and a new one fills its gap', () => {
  const before = spoken('we went back to the habour');
  const after = realigned(before, 'we went back to the harbour', 0, 6);
  assert.deepEqual(after.slice(0, 5), before.slice(0, 5));
  assert.deepEqual([after[5].start, after[5].end], [before[4].end, 6]);
});

test('an inserted word stands between its neighbours', () => {
  const after = realigned(spoken('one three'), 'one two three', 0, 2);
  assert.deepEqual([after[1].start, after[1].end], [0.8, 1]);
});

test('a word that is split or joined shares the time of what it was', () => {
  assert.deepEqual(
    realigned(spoken('a nevertheless b'), 'a never the less b', 0, 3).map((word) => word.text),
    ['a', 'never', 'the', 'less', 'b'],
  );
  assert.ok(rising(realigned(spoken('a never the less b'), 'a nevertheless b', 0, 5)));
});

test('any rewriting: times rise, kept words keep theirs', () => {
  const random = randomFrom(11);
  for (let round = 0; round < 500; round++) {
    const before = Array.from({ length: 12 }, (_, index) => ({
      text: 'abcdef'[random(6)],
      start: index,
      end: index + 1 + random(3) / 2,
    }));
    const text = before.flatMap((word) => (random(4) ? [word.text] : random(2) ? [] : ['x', word.text])).join(' ');
    const after = realigned(before, text, 0, 12);
    assert.equal(after.map((word) => word.text).join(' '), text);
    assert.ok(rising(after), JSON.stringify({ before, after }));
  }
});

test('matches is a common subsequence, also for texts too long for the table', () => {
  const old = Array.from({ length: 3_000 }, (_, index) => `a${index}`);
  const fresh = ['new', ...old.map((word, index) => (index === 1_500 ? 'changed' : index === 10 ? 'other' : word))];
  const pairs = [...matches(old, fresh)].sort((a, b) => a[0] - b[0]);
  assert.ok(pairs.length >= 1_499);
  assert.ok(pairs.every(([b, a], index) => fresh[b] === old[a] && (!index || a > pairs[index - 1][1])));
});

test('renaming, and an empty name gives the letter back', () => {
  const named = renamed(EMPTY, 'A', ' Anna ');
  assert.deepEqual(named.names, { A: 'Anna' });
  assert.deepEqual(renamed(named, 'A', '').names, {});
  assert.equal(renamed(named, 'A', 'Anna'), named, 'no change is no edit to undo');
  assert.equal(renamed(EMPTY, 'A', 'A'), EMPTY);
});

test('rewriting to the same text is no edit; to none removes the turn', () => {
  const one = transcript('a b', 'c d');
  assert.equal(rewritten(one, 1, ' a  b '), one);
  assert.deepEqual(rewritten(one, 1, ' ').turns.map(textOf), ['c d']);
  assert.equal(rewritten(one, 99, 'x'), one);
});

test("split and join are each other's opposite", () => {
  const one = transcript('a b c d');
  const two = split(one, 1, 2);
  assert.deepEqual(two.turns.map(textOf), ['a b', 'c d']);
  assert.notEqual(two.turns[0].id, two.turns[1].id);
  assert.deepEqual(joined(two, two.turns[1].id).turns, one.turns);
  assert.equal(split(one, 1, 0), one);
  assert.equal(split(one, 1, 4), one);
  assert.equal(joined(one, 1), one);
});

test('whose turn: this one, or all', () => {
  const both = { ...transcript('a', 'b', 'c') };
  const told = { ...both, turns: both.turns.map((turn) => ({ ...turn, speaker: 'A' })) };
  assert.deepEqual(
    reassigned(told, 2, 'B').turns.map((turn) => turn.speaker),
    ['A', 'B', 'A'],
  );
  assert.deepEqual(
    merged(told, 'A', 'B').turns.map((turn) => turn.speaker),
    ['B', 'B', 'B'],
  );
});

test('replace everywhere: whole words, any case, across words, and what looks like a pattern', () => {
  const one = transcript('ann met Anna and Ann.', 'ann (b.c) New York');
  assert.equal(replacedEverywhere(one, 'Ann', 'Anna').count, 3);
  assert.deepEqual(replacedEverywhere(one, 'Ann', 'Eva').transcript.turns.map(textOf), [
    'Eva met Anna and Eva.',
    'Eva (b.c) New York',
  ]);
  assert.equal(replacedEverywhere(one, '(b.c)', '$&').transcript.turns[1].words[1].text, '$&');
  assert.equal(replacedEverywhere(one, 'new york', 'Leeds').count, 1);
  assert.equal(replacedEverywhere(one, 'nobody', 'x').transcript, one);
  assert.equal(replacedEverywhere(one, '  ', 'x').count, 0);
  assert.equal(replacedEverywhere(transcript('東京都は広い'), '東京', '京都').count, 1);
});
