// The microphone: one at a time, given back whatever the user does meanwhile, and what it recorded stays when it is unplugged.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { allow, until, world } from './browser.mjs';

const JS = '../../../app/studio/static/js';
const { route } = await import(`${JS}/state/app.js`);
const takes = await import(`${JS}/state/take.js`);
const live = await import(`${JS}/state/live.js`);

const settled = () => new Promise((next) => setTimeout(next, 20));
const ended = () => world.tracks.every((track) => track.readyState === 'ended');

beforeEach(() => {
  Object.assign(world, { asked: [], tracks: [], sockets: [], recorders: [] });
  globalThis.fetch = async () => new Response(JSON.stringify({ value: 'ek_1' }));
});
afterEach(() => {
  takes.discard();
  live.discard();
});

test('two presses on Record ask for one microphone', async () => {
  const both = [takes.begin(), takes.begin()];
  assert.equal(world.asked.length, 1);
  assert.ok(takes.starting.value);
  allow();
  await Promise.all(both);
  await takes.begin();
  assert.deepEqual([world.tracks.length, takes.starting.value], [1, false]);
  takes.discard();
  assert.ok(ended());
});

for (const [name, leave] of [
  ['goes to another view', () => takes.leaveTake()],
  ['cancels', () => takes.discard()],
]) {
  test(`a microphone that comes after the user ${name} is given back`, async () => {
    const begun = takes.begin();
    leave();
    assert.equal(takes.starting.value, false);
    const next = takes.begin();
    allow();
    allow();
    await Promise.all([begun, next]);
    assert.deepEqual(
      world.tracks.map((track) => track.readyState),
      ['ended', 'live'],
    );
    assert.ok(takes.take.value, 'the later wish counts');
  });
}

test('a take whose microphone is unplugged says so, and is not lost', async () => {
  const begun = takes.begin();
  allow();
  await begun;
  world.recorders[0].stop(); // as browsers do when the last track ends
  await until(() => takes.lost.value);
  const file = await takes.end('take');
  assert.deepEqual([file.name, file.size], ['take.webm', 5]);
});

/** @param {object} event */
const told = (event) => world.sockets[0].onmessage({ data: JSON.stringify(event) });

async function listening() {
  route.value = { view: 'live', id: '' };
  const begun = live.begin('', () => 'dictation');
  await until(() => world.asked.length === 1);
  return begun;
}

for (const [name, leave] of [
  ['goes to another view', () => (route.value = { view: 'server', id: '' })],
  ['cancels', () => live.discard()],
]) {
  test(`live: a microphone that comes after the user ${name} is given back`, async () => {
    const begun = listening();
    await until(() => world.asked.length === 1);
    leave();
    assert.equal(live.phase.value, 'idle');
    allow();
    await begun;
    await settled();
    assert.deepEqual([live.phase.value, ended(), world.sockets[0].readyState], ['idle', true, 3]);
  });
}

test('live: a connection that is lost before the microphone came is told, and nothing stays open', async () => {
  const begun = listening();
  await until(() => world.asked.length === 1);
  world.sockets[0].close();
  await until(() => live.failure.value !== null);
  allow();
  await begun;
  assert.deepEqual([live.failure.value.code, live.phase.value, ended()], ['cut', 'idle', true]);
});

test('live: what was said before the microphone was unplugged is kept', async () => {
  const begun = listening();
  await until(() => world.asked.length === 1);
  allow();
  await begun;
  const item_id = 'item_1';
  told({ type: 'input_audio_buffer.speech_started', item_id, audio_start_ms: 0 });
  told({ type: 'conversation.item.input_audio_transcription.completed', item_id, transcript: 'Good day.' });
  world.tracks[0].onended();
  told({ type: 'error', error: { code: 'input_audio_buffer_commit_empty', event_id: 'last' } });
  await until(() => live.keptId.value !== '');
  assert.deepEqual([live.lost.value, live.phase.value], [true, 'idle']);
});
