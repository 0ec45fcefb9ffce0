// Recordings while the server works: no text is lost, whatever the user, another tab or the server does meanwhile.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { messages, stored, turn, until, uploads } from './page.mjs';
import { begun, delta, ended, inStore, phase, segment, sent, storedText, texts } from './queue.mjs';

const JS = '../../../app/studio/static/js';
const library = await import(`${JS}/state/library.js`);
const kept = await import(`${JS}/state/kept.js`);
const { draft, recording, recordings, reattach } = await import(`${JS}/state/recordings.js`);
const { announcement } = await import(`${JS}/state/app.js`);
const { watchProgress } = await import(`${JS}/views/announce.js`);
const { renamed, rewritten } = await import(`${JS}/transcript/edits.js`);

kept.watchTabs();
watchProgress();

test('kept recordings come in the order in which they were added; what was interrupted is stopped', async () => {
  const facts = (id, added, phase) => ({
    ...{ id, name: id, size: 1, modified: 1, added, options: {}, had: 1 },
    transcript: { turns: [], names: {}, language: '', seconds: 1, told: false, next: 1 },
    progress: { phase, since: 5 },
  });
  for (const one of [
    facts('a', 3, 'done'),
    facts('b', 1, 'listening'),
    facts('c', undefined, 'done'),
    facts('d', 2, 'done'),
  ])
    stored.set(`transcript:${one.id}`, one);
  await kept.restored();
  assert.deepEqual(
    recordings.value.map((one) => one.id),
    ['b', 'd', 'a', 'c'],
    'one that was kept without this time has that of its transcription',
  );
  assert.equal(phase(recording('b')), 'stopped');
  assert.deepEqual(messages.pop(), { asked: ['b'] });
  const [fresh] = library.add([new File(['x'], 'new.wav')]);
  assert.equal(recordings.value.at(-1), fresh);
  await ended(fresh, await sent());
});

test('undo takes back an edit, and no text that came after it', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('we went bak', 0));
  library.edit(one, rewritten(one.transcript.value, 1, 'we went back'));
  upload.tell(delta('to the harbour', 3), delta('which one', 10));
  library.edit(one, renamed(one.transcript.value, 'A', 'Anna'));
  upload.tell(segment('A', 0, 5.6), segment('B', 10, 12));
  await ended(one, upload);
  library.undo(one);
  library.undo(one);
  assert.deepEqual(texts(one), [
    ['A', 'we went bak to the harbour'],
    ['B', 'which one'],
  ]);
  assert.deepEqual(one.transcript.value.names, {});
  assert.equal(one.past.value.length, 0);
  await until(() => storedText(one) === 'we went bak to the harbour / which one');
});

test('undo while it is transcribed, and after a second try', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('one too', 0));
  library.edit(one, rewritten(one.transcript.value, 1, 'one two'));
  library.undo(one);
  upload.tell(delta('three', 2));
  assert.deepEqual(texts(one), [['', 'one too three']]);
  library.edit(one, rewritten(one.transcript.value, 1, 'one two three'));
  upload.onerror();
  await until(() => phase(one) === 'failed');
  assert.equal(one.progress.value.failure.code, 'cut');
  library.again(one);
  const second = await sent();
  second.tell(delta('anew', 0));
  library.undo(one);
  assert.deepEqual(texts(one), [['', 'anew']], 'the older text does not come into the new one');
  second.tell(delta('and whole', 1));
  await ended(one, second);
  library.undo(one);
  assert.deepEqual(texts(one), [['', 'one two three']]);
  library.undo(one);
  assert.deepEqual(texts(one), [['', 'one too three']]);
});

test('the text does not change under a user who types, and nothing of both is lost', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('we went bak to', 0));
  library.openField(one, 1);
  library.typed('we went back to');
  const before = one.transcript.value;
  upload.tell(delta('the harbour', 4), segment('A', 0, 1.6), segment('B', 2, 6));
  assert.equal(one.transcript.value, before);
  await ended(one, upload);
  assert.equal(storedText(one), 'we went / back to the harbour', 'what stands in the field is kept');
  library.settle();
  assert.deepEqual(texts(one), [
    ['A', 'we went'],
    ['B', 'back to the harbour'],
  ]);
  library.undo(one);
  assert.deepEqual(texts(one), [
    ['A', 'we went'],
    ['B', 'bak to the harbour'],
  ]);
});

test('a second try closes the field of the first one', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('one too', 0));
  upload.onerror();
  await until(() => phase(one) === 'failed');
  library.again(one);
  const second = await sent();
  library.openField(one, 1);
  library.typed('one two');
  second.tell(delta('anew', 0));
  assert.equal(draft.value, null);
  assert.deepEqual(texts(one), [['', 'anew']]);
  await ended(one, second);
  library.undo(one);
  assert.deepEqual(texts(one), [['', 'one two']]);
});

test('text is kept while it comes, and with the open field when the page goes', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { one, upload } = await begun();
  upload.tell(delta('one too', 0));
  mock.timers.tick(4_900);
  upload.tell(delta('three', 2));
  await turn();
  assert.equal(inStore(one), undefined);
  mock.timers.tick(200);
  await until(() => storedText(one) === 'one too three');
  library.openField(one, 1);
  library.typed('one two three');
  for (const [name, text] of [
    ['beforeunload', 'one two three'],
    ['pagehide', 'one two three four'],
  ]) {
    library.typed(text);
    globalThis.window.dispatchEvent(new Event(name));
    await until(() => storedText(one) === text);
  }
  assert.ok(messages.some((message) => message.left?.includes(one.id)));
  mock.timers.reset();
  library.settle();
  await ended(one, upload);
  assert.equal(inStore(one).progress.phase, 'done');
});

test('a text whose words were all deleted is kept as it is', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('one', 0));
  await ended(one, upload);
  await until(() => storedText(one) === 'one');
  library.edit(one, rewritten(one.transcript.value, 1, ''));
  await until(() => storedText(one) === '');
});

for (const [name, bad] of [
  ['JSON', 'data: {"type": \n\n'],
  ['base64', 'data: {"type":"antiphon.peaks","start":0,"rate":10,"data":"%"}\n\n'],
  ['an event', 'data: null\n\n'],
]) {
  test(`an answer with bad ${name} fails, keeps its text, and the next recording is worked on`, async () => {
    const [one, next] = library.add([new File(['x'], 'bad.wav'), new File(['x'], 'next.wav')]);
    const upload = await sent();
    upload.tell(delta('one two', 0));
    try {
      upload.say(bad);
    } catch {
      // A browser reports it, and goes on.
    }
    await until(() => phase(one) === 'failed');
    assert.equal(one.progress.value.failure.code, 'garbled');
    assert.ok(upload.aborted);
    assert.deepEqual(texts(one), [['', 'one two']]);
    await ended(next, await sent());
  });
}

test('the same file has the same date, unless the user says that it is a copy', async () => {
  const { one, upload } = await begun('dated.wav');
  await ended(one, upload);
  one.file = null;
  const file = (lastModified, text = 'x') => new File([text], 'dated.wav', { lastModified });
  assert.ok(!reattach(one, file(8)));
  assert.ok(!reattach(one, file(7, 'xx'), true));
  assert.ok(reattach(one, file(8), true));
  one.file = null;
  assert.ok(reattach(one, file(7)));
});

test('a full server is asked again after the time that it names, and not before', async () => {
  const { one, upload } = await begun();
  const before = uploads.length;
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const named = { 'retry-after': '7' };
  upload.getResponseHeader = (name) => named[name] ?? null;
  upload.status = 429;
  upload.responseText = JSON.stringify({ error: { message: 'Full.', code: 'overloaded' } });
  upload.onload();
  await until(() => one.progress.value.retryAt);
  assert.equal(one.progress.value.retryAt, Date.now() + 7_000);
  mock.timers.tick(6_900);
  for (let times = 0; times < 20; times += 1) await turn();
  assert.deepEqual([phase(one), uploads.length], ['queued', before]);
  mock.timers.tick(200);
  const again = await sent();
  mock.timers.reset();
  await ended(one, again);
});

test('a screen reader is told the beginning, each tenth once, and the end', async () => {
  const heard = [];
  const end = announcement.subscribe((words) => heard.push(words));
  heard.length = 0;
  const { one, upload } = await begun('long.wav');
  for (let seconds = 0; seconds < 100; seconds += 5) upload.tell({ type: 'antiphon.progress', seconds, expected: 100 });
  await ended(one, upload);
  end();
  const tenths = ['10%', '20%', '30%', '40%', '50%', '60%', '70%', '80%', '90%'];
  assert.deepEqual(heard, ['long.wav: started', ...tenths.map((share) => `long.wav: ${share} done`), 'long.wav: done']);
});
