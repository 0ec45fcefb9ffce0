// Two tabs: no text is lost or doubled, whatever both do to one recording at the same time.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { crash, hear, locks, stored, turn, until } from './page.mjs';
import { begun, delta, ended, inStore, phase, sent, storedText, texts } from './queue.mjs';

const JS = '../../../app/studio/static/js';
const library = await import(`${JS}/state/library.js`);
const kept = await import(`${JS}/state/kept.js`);
const { draft, recording } = await import(`${JS}/state/recordings.js`);
const { rewritten, split } = await import(`${JS}/transcript/edits.js`);
const { EMPTY, received } = await import(`${JS}/transcript/model.js`);

kept.watchTabs();

/** Another tab keeps this of a recording, and says so. */
function elsewhere(id, next) {
  stored.set(`transcript:${id}`, next(structuredClone(stored.get(`transcript:${id}`))));
  hear({ saved: id });
}

/** The text of these events. */
const said = (...deltas) => deltas.reduce(received, EMPTY);

/** What another tab keeps of what it transcribes. */
const facts = (transcript, had, phase = 'listening', since = 9) => ({
  ...{ name: 'b.wav', size: 1, modified: 7, added: 1, options: {}, had, told: since },
  transcript,
  progress: { phase, since, failure: null },
});

/** A recording that another tab transcribes. */
async function watched(id, transcript, had, tab = '') {
  if (tab) globalThis.navigator.locks.request(`antiphon-tab:${tab}`, () => new Promise(() => undefined));
  elsewhere(id, () => ({ id, tab, ...facts(transcript, had) }));
  await until(() => recording(id));
  return recording(id);
}

/** All that other tabs have told is shown. */
async function settled() {
  for (let times = 0; times < 20; times += 1) await turn();
}

test('what another tab forgets is not transcribed any more', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('one', 0));
  library.openField(one, 1);
  hear({ forgotten: one.id });
  assert.ok(upload.aborted);
  assert.equal(draft.value, null);
  assert.ok(!library.working.value);
});

test('what another tab transcribes is no stopped one, until that tab ends it or is gone', async () => {
  const { one, upload } = await begun('elsewhere.wav');
  upload.tell(delta('one', 0));
  library.stop(one);
  await until(() => inStore(one));
  const tell = async (phase, text) => {
    const facts = inStore(one);
    const turns = [{ ...facts.transcript.turns[0], words: [{ text, start: 0, end: 1 }] }];
    stored.set(`transcript:${one.id}`, {
      ...facts,
      tab: '',
      transcript: { ...facts.transcript, turns },
      told: 9,
      progress: { ...facts.progress, phase, since: 9 },
    });
    hear({ saved: one.id });
    await until(() => texts(one)[0][1] === text);
  };
  await tell('listening', 'two');
  assert.equal(phase(one), 'elsewhere');
  assert.equal(one.past.value.length, 0, 'text that comes is no edit');
  assert.ok(!library.working.value);
  hear({ left: [one.id] });
  await until(() => phase(one) === 'stopped');
  await tell('sending', 'three');
  await tell('done', 'four');
  assert.equal(phase(one), 'done');
  await tell('done', 'five');
  assert.equal(one.past.value.length, 1);
});

test('an edit of another tab goes into what this one transcribes', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('one too', 0));
  hear({ asked: [one.id] });
  await until(() => storedText(one) === 'one too');
  upload.tell(delta('three', 2));
  const facts = inStore(one);
  stored.set(`transcript:${one.id}`, { ...facts, transcript: rewritten(facts.transcript, 1, 'one two') });
  hear({ saved: one.id });
  await until(() => texts(one)[0][1] === 'one two three');
  upload.tell(delta('four', 3));
  await ended(one, upload);
  assert.equal(storedText(one), 'one two three four');
});

test('undo in the tab that watches takes no text away that came after the edit', async () => {
  const one = await watched('u', said(delta('one too', 0)), 1);
  library.edit(one, rewritten(one.transcript.value, 1, 'one two'));
  await until(() => storedText(one) === 'one two');
  const all = said(delta('one two', 0), delta('three', 2));
  elsewhere('u', () => ({ id: 'u', ...facts(all, 2, 'done') }));
  await until(() => phase(one) === 'done');
  library.undo(one);
  await settled();
  assert.deepEqual(texts(one), [['', 'one two three']]);
  assert.equal(storedText(one), 'one two three');
  hear({ saved: 'u' });
  await settled();
  assert.equal(one.past.value.length, 0, 'the same text is no edit');
});

test('a try in another tab leaves nothing of the stream before', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('one', 0), delta('too', 1), delta('three', 2));
  upload.onerror();
  await until(() => phase(one) === 'failed' && inStore(one));
  elsewhere(one.id, (old) => ({ ...old, ...facts(said(delta('anew', 0)), 1), tab: '' }));
  await until(() => phase(one) === 'elsewhere');
  elsewhere(one.id, (old) => ({ ...old, ...facts(said(delta('anew', 0), delta('done', 1)), 2, 'done') }));
  await until(() => phase(one) === 'done');
  library.edit(one, rewritten(one.transcript.value, 1, 'anew, done'));
  await until(() => storedText(one) === 'anew, done');
});

test('undo to the text of a try does not mix it with that of another tab', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('one', 0), delta('too', 1));
  upload.onerror();
  await until(() => phase(one) === 'failed' && inStore(one));
  elsewhere(one.id, (old) => ({ ...old, ...facts(said(delta('anew', 0)), 1, 'done') }));
  await until(() => phase(one) === 'done');
  library.undo(one);
  await until(() => storedText(one) === 'one too');
  elsewhere(one.id, (old) => ({ ...old, ...facts(said(delta('anew', 0)), 1, 'done') }));
  await until(() => texts(one)[0][1] === 'anew');
});

test('a field that is open in the tab that watches does not take away what comes', async () => {
  const one = await watched('f', said(delta('one too', 0)), 1);
  library.openField(one, 1);
  const all = said(delta('one too', 0), delta('three', 2));
  elsewhere('f', () => ({ id: 'f', ...facts(all, 2) }));
  await settled();
  assert.deepEqual(texts(one), [['', 'one too']], 'the text does not change under the user');
  library.settle();
  await until(() => texts(one)[0][1] === 'one too three');
  library.openField(one, 1);
  library.typed('one two three');
  elsewhere('f', () => ({ id: 'f', ...facts(said(delta('one too', 0), delta('three four', 2)), 3) }));
  await settled();
  library.settle();
  await until(() => storedText(one) === 'one two three');
  assert.equal(inStore(one).had, 2, 'the tab that transcribes adds the rest');
});

test('an edit of another tab that comes at the end is merged, and both tabs learn the end', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('one too', 0));
  hear({ asked: [one.id] });
  await until(() => storedText(one) === 'one too');
  const old = inStore(one);
  upload.tell(delta('three', 2));
  await ended(one, upload);
  await until(() => inStore(one).progress.phase === 'done');
  mock.timers.enable({ apis: ['setTimeout'] });
  const transcript = rewritten(old.transcript, 1, 'one two');
  elsewhere(one.id, () => ({ ...old, transcript, progress: { ...old.progress, phase: 'elsewhere' } }));
  await until(() => texts(one)[0][1] === 'one two three');
  assert.equal(phase(one), 'done');
  mock.timers.tick(5_100);
  await until(() => storedText(one) === 'one two three');
  assert.equal(inStore(one).progress.phase, 'done');
  mock.timers.reset();
});

test('a turn of another tab with the id of the open field does not get its text', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('we went back', 0));
  hear({ asked: [one.id] });
  await until(() => storedText(one) === 'we went back');
  const transcript = split(inStore(one).transcript, 1, 1);
  upload.tell(delta('which one', 10));
  library.openField(one, 2);
  library.typed('which harbour');
  elsewhere(one.id, (old) => ({ ...old, transcript }));
  await until(() => texts(one).length === 3);
  library.settle();
  assert.deepEqual(
    texts(one).map(([, text]) => text),
    ['we', 'went back', 'which harbour'],
  );
  await until(() => storedText(one) === 'we / went back / which harbour');
  library.openField(one, 3);
  library.typed('which pier');
  elsewhere(one.id, (old) => ({ ...old, had: 2, transcript: split(transcript, 2, 1) }));
  await until(() => draft.value === null);
  library.undo(one);
  assert.equal(texts(one).at(-1)[1], 'which pier', 'undo brings back what was typed');
  await ended(one, upload);
});

/** A recording whose first try failed, and its second try, which has brought nothing yet. */
async function triedAgain() {
  const { one, upload } = await begun();
  upload.tell(delta('one too', 0));
  upload.onerror();
  await until(() => phase(one) === 'failed' && storedText(one) === 'one too');
  library.again(one);
  const second = await sent();
  return { one, second };
}

test('an edit of the text before goes into a try that has brought nothing', async () => {
  const { one, second } = await triedAgain();
  elsewhere(one.id, (old) => ({ ...old, transcript: rewritten(old.transcript, 1, 'one two') }));
  await until(() => texts(one)[0][1] === 'one two');
  assert.equal(phase(one), 'sending');
  second.onerror();
  await until(() => inStore(one).progress.phase === 'failed');
  assert.equal(storedText(one), 'one two');
});

test('an edit of the text before does not go into a try that has brought text', async () => {
  const { one, second } = await triedAgain();
  second.tell(delta('anew', 0));
  elsewhere(one.id, (old) => ({ ...old, transcript: rewritten(old.transcript, 1, 'one two') }));
  await settled();
  assert.deepEqual(texts(one), [['', 'anew']]);
  await ended(one, second);
  await until(() => storedText(one) === 'anew');
});

test('an edit that is made while the text of another tab is loaded stays', async () => {
  const { one, upload } = await begun();
  upload.tell(delta('one too', 0));
  await ended(one, upload);
  await until(() => storedText(one) === 'one too');
  const other = { ...inStore(one), transcript: said(delta('one, too', 0)) };
  const meanwhile = () => {
    library.edit(one, rewritten(one.transcript.value, 1, 'one two'));
    return other;
  };
  const loading = mock.method(stored, 'get', meanwhile, { times: 1 });
  hear({ saved: one.id });
  await settled();
  assert.equal(loading.mock.callCount(), 1);
  assert.deepEqual(texts(one), [['', 'one two']]);
  assert.equal(storedText(one), 'one two');
});

test('what a tab kept last is shown when it is gone', async () => {
  const one = await watched('l', said(delta('one', 0)), 1);
  stored.set('transcript:l', { id: 'l', ...facts(said(delta('one two', 0)), 2) });
  hear({ left: ['l'] });
  await until(() => phase(one) === 'stopped');
  assert.deepEqual(texts(one), [['', 'one two']]);
});

test('a tab that crashes tells nobody: the browser gives its lock back', async () => {
  const one = await watched('k', said(delta('one', 0)), 1, 'tab 7');
  assert.equal(phase(one), 'elsewhere');
  elsewhere('k', (old) => ({ ...old, ...facts(said(delta('one two', 0)), 2) }));
  await until(() => texts(one)[0][1] === 'one two');
  crash('tab 7');
  await until(() => phase(one) === 'stopped');
  assert.deepEqual(texts(one), [['', 'one two']]);
});

test('a tab that ends after its work takes nothing back, and each tab has a lock while it works', async () => {
  const one = await watched('m', said(delta('one', 0)), 1, 'tab 8');
  elsewhere('m', (old) => ({ ...old, ...facts(said(delta('one', 0)), 1, 'done') }));
  await until(() => phase(one) === 'done');
  crash('tab 8');
  await settled();
  assert.equal(phase(one), 'done');
  const { one: own, upload } = await begun();
  upload.tell(delta('one', 0));
  const name = `antiphon-tab:${own.tab}`;
  assert.deepEqual([...locks.keys()], [name]);
  await ended(own, upload);
  await until(() => !locks.size);
  await until(() => inStore(own)?.progress.phase === 'done');
  library.again(own);
  assert.notEqual(`antiphon-tab:${own.tab}`, name);
  assert.deepEqual([...locks.keys()], [`antiphon-tab:${own.tab}`]);
  library.stop(own);
  await until(() => !locks.size);
});
