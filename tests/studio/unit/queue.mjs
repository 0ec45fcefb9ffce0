// Recordings that are transcribed, for tests in Node.
import { stored, until, uploads } from './page.mjs';

const JS = '../../../app/studio/static/js';
const library = await import(`${JS}/state/library.js`);
const { textOf } = await import(`${JS}/transcript/model.js`);

export const delta = (text, start) => ({
  type: 'transcript.text.delta',
  words: text.split(' ').map((word, index) => ({ word, start: start + index, end: start + index + 0.5 })),
});
export const segment = (speaker, start, end) => ({ type: 'transcript.text.segment', speaker, start, end });
export const texts = (one) => one.transcript.value.turns.map((turn) => [turn.speaker, textOf(turn)]);
export const phase = (one) => one.progress.value.phase;
export const inStore = (one) => stored.get(`transcript:${one.id}`);
export const storedText = (one) => inStore(one)?.transcript.turns.map(textOf).join(' / ');

/** A recording that is being transcribed, and its upload. */
export async function begun(name = 'a.wav') {
  const [one] = library.add([new File(['x'], name, { lastModified: 7 })]);
  return { one, upload: await sent() };
}

let seen = 0;
/** Waits for the next upload of the page. */
export async function sent() {
  await until(() => uploads.length > seen);
  return uploads[seen++];
}

export async function ended(one, upload) {
  upload.end();
  await until(() => phase(one) === 'done');
}
