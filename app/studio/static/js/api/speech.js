// @ts-check
// Speech: PCM as it comes for listening, or a whole file for keeping.
import { call, callBlob, reached } from './client.js';

const PATH = 'audio/speech';

/** @typedef {{model: string, voice: string, input: string, speed: number, response_format: string}} SpeechBody */

/**
 * @param {SpeechBody} body
 * @param {(data: Uint8Array) => void} onData
 * @param {AbortSignal} signal
 * @returns {Promise<{requestId: string}>}
 */
export async function speakStream(body, onData, signal) {
  const answer = await call(PATH, posted({ ...body, response_format: 'pcm' }, signal));
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  for (;;) {
    const { done, value } = await reached(() => reader.read(), 'cut');
    if (done) return { requestId: answer.headers.get('x-request-id') ?? '' };
    onData(value);
  }
}

/** @param {SpeechBody} body @param {AbortSignal} signal @returns {Promise<Blob>} a file that tells its length */
export function speakFile(body, signal) {
  return callBlob(PATH, posted({ ...body, stream: false }, signal));
}

/** @param {Record<string, unknown>} body @param {AbortSignal} signal @returns {RequestInit} */
function posted(body, signal) {
  const headers = { 'Content-Type': 'application/json' };
  return { method: 'POST', headers, body: JSON.stringify(body), signal };
}
