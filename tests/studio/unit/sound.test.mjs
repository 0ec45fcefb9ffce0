// Sound as values: peaks, lanes, WAV files, parts of a long text, the word that is heard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parts } from '../../../app/studio/static/js/sound/parts.js';
import { withPeaks } from '../../../app/studio/static/js/sound/peaks.js';
import { lanePath, peakPath } from '../../../app/studio/static/js/sound/strip.js';
import { samplesOf, wavFile } from '../../../app/studio/static/js/sound/wav.js';
import { wordAt } from '../../../app/studio/static/js/transcript/follow.js';

test('the word that is heard', () => {
  const words = [0, 1, 1, 4].map((start) => ({ text: 'x', start, end: start + 1 }));
  assert.deepEqual(
    [-1, 0, 0.5, 1, 3.9, 4, 99].map((at) => wordAt(words, at)),
    [-1, 0, 0, 2, 2, 3, 3],
  );
  assert.equal(wordAt([], 3), -1);
});

test('peaks go where they belong, and a wrong place is left out', () => {
  const event = (start, bytes) => ({ start, rate: 10, data: Buffer.from(bytes).toString('base64') });
  const first = withPeaks(new Uint8Array(), event(0, [1, 2]));
  assert.deepEqual([...withPeaks(first, event(0.4, [9]))], [1, 2, 0, 0, 9]);
  assert.deepEqual([...withPeaks(first, event(0, [7]))], [7, 2]);
  assert.equal(withPeaks(first, event(1e9, [1])), first);
  assert.equal(withPeaks(first, event(-5, [1])), first);
});

test('the strip has one lane for each speaker and as many columns for any length', () => {
  const turn = (speaker, start, end) => ({ id: 1, speaker, words: [{ text: 'x', start, end }] });
  const transcript = {
    turns: [turn('A', 0, 2), turn('B', 2, 3), turn('A', 4, 5)],
    names: {},
    language: '',
    seconds: 5,
    told: true,
    next: 2,
  };
  assert.equal(lanePath(transcript, 'A', 0).match(/M/g)?.length, 2);
  assert.equal(lanePath(transcript, 'B', 1).match(/M/g)?.length, 1);
  assert.equal(peakPath(new Uint8Array(72_000).fill(255), 7_200).match(/M/g)?.length, 600);
  assert.equal(peakPath(new Uint8Array(), 10), '');
});

test('a WAV file says how long it is', async () => {
  const sound = new Blob([new Uint8Array([0, 128, 255, 127, 9])]); // the last sample is not whole
  const file = Buffer.from(await wavFile(sound, 24_000).arrayBuffer());
  assert.equal(file.length, 48);
  assert.equal(file.readUInt32LE(40), 4);
  assert.equal(file.readUInt32LE(24), 24_000);
  assert.deepEqual([...samplesOf(file.subarray(44))], [-1, 32_767 / 32_768]);
});

test('a long text is cut at sentences, then at spaces, never inside a character', () => {
  const text = 'One two. Three four. Five six.';
  for (const limit of [8, 12, 20, 1_000]) {
    const cut = parts(text, limit);
    assert.ok(cut.every((part) => part.length <= limit));
    assert.equal(cut.join(' '), text);
  }
  assert.deepEqual(parts('One two. Three four.', 12), ['One two.', 'Three four.']);
  assert.ok(parts('😀'.repeat(50), 7).every((part) => part.length <= 7 && part.isWellFormed()));
  assert.equal(parts('😀'.repeat(50), 7).join(''), '😀'.repeat(50));
  assert.deepEqual(parts('  ', 10), []);
  assert.ok(parts('word '.repeat(4_000), 4_096).every((part) => part.length <= 4_096 && !part.includes('wordword')));
});
