// @ts-check
// Speech: PCM as it comes for listening, or a whole file for keeping.
import { call } from './client.js';

/** @typedef {{model: string, voice: string, input: string, speed: number, response_format: string}} SpeechBody */

/**
 * @param {SpeechBody} body
 * @param {(data: Uint8Array) => void} onData
 * @param {AbortSignal} signal
 * @returns {Promise<{requestId: string}>}
 */
export async function speakStream(body, onData, signal) {
  const answer = await post({ ...body, response_format: 'pcm' }, signal);
  const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { requestId: answer.headers.get('x-request-id') ?? '' };
    onData(value);
  }
}

/** @param {SpeechBody} body @param {AbortSignal} signal @returns {Promise<Blob>} a file that tells its length */
export async function speakFile(body, signal) {
  return (await post({ ...body, stream: false }, signal)).blob();
}

/** @param {Record<string, unknown>} body @param {AbortSignal} signal */
function post(body, signal) {
  const headers = { 'Content-Type': 'application/json' };
  return call('audio/speech', { method: 'POST', headers, body: JSON.stringify(body), signal });
}
