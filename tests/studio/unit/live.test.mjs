// The end of a dictation: the last words are waited for, and a failure takes none away.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { allow, until, world } from './browser.mjs';

const JS = '../../../app/studio/static/js';
const { route } = await import(`${JS}/state/app.js`);
const live = await import(`${JS}/state/live.js`);
const { recording } = await import(`${JS}/state/recordings.js`);
const BUFFER = 'input_audio_buffer.';
const TEXT = 'conversation.item.input_audio_transcription.';

/** @param {string} type @param {object} fields */
const told = (type, fields) => world.sockets[0].onmessage({ data: JSON.stringify({ type, ...fields }) });
const turns = () => live.said.value.map((one) => one.text);

/** The server finds a turn. @param {string} item_id */
function announced(item_id) {
  told(`${BUFFER}speech_started`, { item_id, audio_start_ms: 0 });
}

/** The server ends a turn that it has found. @param {string} item_id */
function stopped(item_id) {
  told(`${BUFFER}speech_stopped`, { item_id, audio_end_ms: 900 });
  told(`${BUFFER}committed`, { item_id });
}

beforeEach(async () => {
  Object.assign(world, { asked: [], tracks: [], sockets: [], recorders: [] });
  globalThis.fetch = async () => new Response(JSON.stringify({ value: 'ek_1' }));
  route.value = { view: 'live', id: '' };
  const begun = live.begin('', () => 'dictation');
  await until(() => world.asked.length === 1);
  allow();
  await begun;
});
afterEach(() => live.discard());

/** The user presses the button again. @returns {Promise<string>} */
function pressed() {
  const ending = live.end();
  assert.equal(world.sockets[0].sent.at(-1).type, `${BUFFER}commit`);
  return ending;
}

const none = () => told('error', { error: { code: 'input_audio_buffer_commit_empty', event_id: 'last' } });

test('words whose turn was not announced are waited for', async () => {
  const ending = pressed();
  told(`${BUFFER}committed`, { item_id: 'a' });
  assert.equal(live.phase.value, 'finishing');
  told(`${TEXT}delta`, { item_id: 'a', delta: 'Yes.' });
  told(`${TEXT}completed`, { item_id: 'a', transcript: 'Yes.' });
  assert.notEqual(await ending, '');
  assert.deepEqual(turns(), ['Yes.']);
});

test('words that come all at once have the time until then', async () => {
  const ending = pressed();
  live.seconds.value = 10;
  told(`${BUFFER}committed`, { item_id: 'a' });
  told(`${TEXT}completed`, { item_id: 'a', transcript: 'Oh yes.' });
  const [turn] = recording(await ending).transcript.value.turns;
  assert.deepEqual(turn.words, [
    { text: 'Oh', start: 8, end: 9 },
    { text: 'yes.', start: 9, end: 10 },
  ]);
});

test('a microphone that is lost before it is open ends what has begun', async () => {
  live.discard();
  const begun = live.begin('', () => 'dictation');
  await until(() => world.asked.length === 1);
  allow();
  const track = world.tracks.at(-1);
  for (let times = 0; !track.onended && times < 100; times += 1) await null;
  assert.equal(live.phase.value, 'starting');
  track.onended();
  await begun;
  assert.deepEqual([live.phase.value, live.lost.value], ['idle', true]);
  assert.equal(track.readyState, 'ended');
});

test('a turn that ends meanwhile is no answer to the commit', async () => {
  announced('a');
  const ending = pressed();
  stopped('a');
  told(`${TEXT}completed`, { item_id: 'a', transcript: 'One.' });
  await new Promise((next) => setTimeout(next, 20));
  assert.equal(live.phase.value, 'finishing');
  told(`${BUFFER}committed`, { item_id: 'b' });
  told(`${TEXT}completed`, { item_id: 'b', transcript: 'Two.' });
  await ending;
  assert.deepEqual(turns(), ['One.', 'Two.']);
});

test('where nothing was said since, the turn before is still waited for', async () => {
  announced('a');
  stopped('a');
  const ending = pressed();
  none();
  await new Promise((next) => setTimeout(next, 20));
  assert.equal(live.phase.value, 'finishing');
  told(`${TEXT}completed`, { item_id: 'a', transcript: 'One.' });
  await ending;
  assert.deepEqual(turns(), ['One.']);
});

test('silence at the end leaves no empty turn', async () => {
  const ending = pressed();
  told(`${BUFFER}committed`, { item_id: 'a' });
  told(`${TEXT}completed`, { item_id: 'a', transcript: '' });
  assert.equal(await ending, '');
  assert.deepEqual(turns(), []);
});

test('a turn that fails keeps the words that were told', async () => {
  announced('a');
  told(`${TEXT}delta`, { item_id: 'a', delta: 'So far.' });
  const ending = pressed();
  told(`${BUFFER}committed`, { item_id: 'a' });
  told(`${TEXT}failed`, { item_id: 'a', error: { code: 'session_expired' } });
  assert.notEqual(await ending, '');
  assert.deepEqual(turns(), ['So far.']);
});

test('a connection that is lost while the last words come ends the wait', async () => {
  announced('a');
  told(`${TEXT}delta`, { item_id: 'a', delta: 'So far.' });
  const ending = pressed();
  world.sockets[0].close();
  assert.notEqual(await ending, '');
});

test('what an old session says does not end the new one', async () => {
  const old = world.sockets[0];
  live.discard();
  const begun = live.begin('', () => 'dictation');
  await until(() => world.asked.length === 1);
  allow();
  await begun;
  old.onmessage?.({ data: JSON.stringify({ type: 'error', error: { code: 'x' } }) });
  old.onclose();
  assert.deepEqual([live.phase.value, live.failure.value], ['listening', null]);
});

test('last words that do not come are waited for 15 seconds', async () => {
  announced('a');
  told(`${TEXT}delta`, { item_id: 'a', delta: 'So far.' });
  mock.timers.enable({ apis: ['setTimeout'] });
  const ending = pressed();
  mock.timers.tick(14_900);
  for (let times = 0; times < 20; times += 1) await null;
  assert.equal(live.phase.value, 'finishing');
  mock.timers.tick(200);
  mock.timers.reset();
  assert.notEqual(await ending, '');
  assert.deepEqual(turns(), ['So far.']);
});
