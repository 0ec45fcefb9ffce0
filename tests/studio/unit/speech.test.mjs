// Speech in parts: what there is stays when it breaks off, and is completed; sound does not fill the memory.
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { until, world } from './browser.mjs';

const JS = '../../../app/studio/static/js';
const { GrowingSound } = await import(`${JS}/sound/growing.js`);
const { PcmPlayer, RATE, secondsOf } = await import(`${JS}/sound/pcm.js`);
const { about } = await import(`${JS}/state/app.js`);
const { busy, failed, fetched, replay, speakAll, takes } = await import(`${JS}/state/speech.js`);

const PART_BYTES = 4_800;
const TEXT = 'One one. Two two. Three three. Four four.';
const PARTS = ['One one.', 'Two two.', 'Three three.', 'Four four.'];
/** The texts that the server was asked to speak. */
let asked = [];

beforeEach(() => {
  about.value = { limits: { input_characters: 14 } };
  asked = [];
  takes.value = [];
  failed.value = null;
  Object.assign(world, { pace: 1, scheduled: 0 });
});

/** A server that speaks each part; `answers` has other answers for some requests, by their number from 1. */
function serve(answers = {}) {
  globalThis.fetch = async (_path, { body, signal }) => {
    asked.push(JSON.parse(body).input);
    signal.throwIfAborted();
    return answers[asked.length]?.(signal) ?? new Response(new Uint8Array(PART_BYTES));
  };
}

/** The connection breaks after a third of the part. */
const broken = () => {
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(PART_BYTES / 3)),
    pull: (controller) => controller.error(new TypeError('network error')),
  });
  return new Response(body);
};
/** The first bytes come, and no more until the user stops it. */
const endless = (signal) => {
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(new Uint8Array(PART_BYTES / 3));
      signal.addEventListener('abort', () => controller.error(signal.reason));
    },
  });
  return new Response(body);
};
const refused = (status, headers = {}) => {
  const error = { message: 'Not now.', param: null, code: 'overloaded' };
  return new Response(JSON.stringify({ error }), { status, headers });
};

test('a connection that breaks in a part is told, what was spoken stays, and is completed without a seam', async () => {
  serve({ 3: broken });
  await speakAll(['cedar'], TEXT);
  assert.equal(failed.value.wrong.code, 'cut');
  assert.equal(busy.value, null);
  const [take] = takes.value;
  assert.deepEqual([take.done, take.sound.size], [2, 2 * PART_BYTES + PART_BYTES / 3]);
  failed.value.again();
  await until(() => take.done === 4 && !busy.value);
  assert.deepEqual(asked, [...PARTS.slice(0, 3), ...PARTS.slice(2)]);
  assert.deepEqual([takes.value.length, take.sound.size, failed.value], [1, 4 * PART_BYTES, null]);
});

test('a full server is asked again by itself after the time that it names', async () => {
  serve({ 2: () => refused(429, { 'retry-after': '1' }) });
  const steps = [];
  const begun = Date.now();
  const end = busy.subscribe((now) => steps.push(now?.step));
  await speakAll(['cedar'], TEXT);
  end();
  const { until: named } = steps.find((step) => step?.kind === 'full');
  assert.ok(named >= begun + 1_000, 'the time that the server has named');
  assert.ok(Date.now() > named - 5, 'timers may be some milliseconds early');
  assert.deepEqual(asked, [PARTS[0], ...PARTS.slice(1, 2), ...PARTS.slice(1)]);
  assert.deepEqual([failed.value, takes.value[0].done], [null, 4]);
});

test('stop while a full server is waited for ends it', async () => {
  serve({ 2: () => refused(429, { 'retry-after': '3600' }) });
  const spoken = speakAll(['cedar'], TEXT);
  await until(() => busy.value?.step.kind === 'full');
  busy.value.stop();
  await spoken;
  assert.deepEqual([asked.length, takes.value[0].done, failed.value, busy.value], [2, 1, null, null]);
});

test('stop keeps what was spoken', async () => {
  serve({ 3: endless });
  const spoken = speakAll(['cedar'], TEXT);
  await until(() => asked.length === 3);
  busy.value.stop();
  await spoken;
  assert.deepEqual([takes.value[0].done, failed.value, busy.value], [2, null, null]);
  assert.ok(takes.value[0].sound.size >= 2 * PART_BYTES);
});

test('earlier results stay until there are new ones, and a comparison lists all of its own', async () => {
  serve({ 5: () => refused(500) });
  await speakAll(['cedar'], TEXT);
  const before = takes.value;
  await speakAll(['alloy'], TEXT);
  assert.deepEqual([takes.value, failed.value.wrong.status], [before, 500]);
  await speakAll(['alloy', 'echo'], TEXT);
  assert.deepEqual(
    takes.value.map((take) => take.voice),
    ['alloy', 'echo'],
  );
  await speakAll(['coral'], TEXT, false);
  assert.equal(takes.value.length, 2, 'a sample is not listed');
});

test('a file whose connection breaks says so and can be fetched again', async () => {
  serve({ 2: broken });
  await speakAll(['cedar'], 'One.');
  let again = 0;
  assert.equal(await fetched(takes.value[0], 'cedar.mp3', () => again++), null);
  assert.equal(failed.value.wrong.code, 'cut');
  failed.value.again();
  assert.equal(again, 1);
  assert.equal((await fetched(takes.value[0], 'cedar.mp3', () => again++)).size, PART_BYTES);
});

test('of a long take some seconds are scheduled, not all of it', async () => {
  const sound = new GrowingSound();
  for (let second = 0; second < 600; second++) sound.add(new Uint8Array(2 * RATE));
  sound.whole = true;
  assert.equal(secondsOf(sound), 600);
  world.pace = 0;
  const playing = replay({ sound });
  await until(() => world.scheduled >= 5);
  await new Promise((next) => setTimeout(next, 100));
  assert.ok(world.scheduled <= 6, `${world.scheduled} s`);
  busy.value.stop();
  await playing;
});

test('all of a sound is played, in order, whatever pieces it came in', async () => {
  const sound = new GrowingSound();
  const player = new PcmPlayer(sound);
  for (const bytes of [1, 2, 3, 4, 1_000_001, 199_989]) sound.add(new Uint8Array(bytes));
  sound.whole = true;
  await player.heard;
  assert.equal(Math.round(world.scheduled * 2 * RATE), 1_200_000);
});

test('a sound that grows holds a megabyte itself, is read anywhere, and can be cut', async () => {
  const sound = new GrowingSound();
  for (let number = 0; number < 300; number++) sound.add(new Uint8Array(10_000).fill(number % 256));
  const held = sound.fresh.reduce((sum, piece) => sum + piece.length, 0);
  assert.ok(held < 1 << 20, `${held} bytes`);
  assert.deepEqual([...(await sound.read(9_998, 4))], [0, 0, 1, 1]);
  assert.deepEqual([...(await sound.read(2_999_998, 10))], [43, 43]);
  assert.equal((await sound.read(3_000_000, 10)).length, 0);
  sound.cut(10_001);
  assert.deepEqual([sound.size, (await sound.read(10_000, 9)).length], [10_001, 0]);
  sound.add(new Uint8Array([7]));
  assert.deepEqual([...(await sound.read(10_000, 9))], [1, 7]);
});
