// Requests shown as code: texts are quoted as each language needs it, and the API key is read from the environment.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { snippets } from '../../../app/studio/static/js/code/snippets.js';

const HOSTILE = `o'clock "$HOME" \`id\` \\ ü; rm -rf.m4a`;
const transcription = {
  kind: 'transcription',
  file: HOSTILE,
  fields: [
    ['model', 'whisper-1'],
    ['stream', 'true'],
    ['timestamp_granularities[]', 'word'],
    ['num_speakers', '2'],
    ['keywords[]', "l'été"],
  ],
};
const speech = { kind: 'speech', file: HOSTILE, body: { model: 'm', voice: 'cedar', input: HOSTILE, speed: 1.5 } };

test('a shell passes each argument on as it stands', () => {
  const script = snippets(speech, 'http://localhost:8000').curl.replace(/^curl/, 'show');
  const done = spawnSync('bash', ['-c', `show() { printf '%s\\0' "$@"; }; ANTIPHON_API_KEY=k; ${script}`], {
    encoding: 'utf8',
  });
  const words = done.stdout.split('\0');
  assert.deepEqual(JSON.parse(words[words.indexOf('-d') + 1]), speech.body);
  assert.equal(words[words.indexOf('-o') + 1], HOSTILE);
  assert.equal(words[words.indexOf('-H') + 1], 'Authorization: Bearer k');
});

test('the file of an upload is quoted for curl too, and fields are literal', () => {
  const script = snippets(transcription, 'http://localhost:8000').curl.replace(/^curl/, 'show');
  const done = spawnSync('bash', ['-c', `show() { printf '%s\\0' "$@"; }; ANTIPHON_API_KEY=k; ${script}`], {
    encoding: 'utf8',
  });
  const words = done.stdout.split('\0');
  assert.ok(words.includes(`keywords[]=l'été`));
  assert.ok(words.includes(`file=@"${HOSTILE.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`), done.stdout);
});

test('Node reads the Node call, and no key stands in any', () => {
  for (const shown of [transcription, speech]) {
    const all = snippets(shown, 'http://localhost:8000');
    const checked = spawnSync(process.execPath, ['--input-type=module', '--check'], {
      input: all.node,
      encoding: 'utf8',
    });
    assert.equal(checked.status, 0, checked.stderr);
    for (const text of Object.values(all)) assert.match(text, /ANTIPHON_API_KEY/);
  }
});

test('what the SDK does not know goes into its extra body', () => {
  const { python, node } = snippets(transcription, 'http://localhost:8000');
  assert.match(python, /timestamp_granularities=\["word"\]/);
  assert.match(python, /extra_body=\{"num_speakers": "2"/);
  assert.match(python, /stream=True/);
  assert.match(node, /num_speakers: "2"/);
});
