// @ts-check
// An upload whose progress can be shown and whose answer is read while it comes. `fetch` tells nothing of the
// progress of an upload, so this is an XMLHttpRequest.
import { ApiFailure, authorization, failureFrom } from './client.js';

/**
 * @typedef {{onSent: (share: number) => void, onText: (text: string) => void, signal: AbortSignal}} Watch
 * @param {string} path below /v1
 * @param {FormData} form
 * @param {Watch} watch
 * @returns {Promise<{requestId: string}>} when the whole answer is there
 */
export function upload(path, form, watch) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let read = 0;
    const pass = () => {
      if (request.status !== 200) return;
      watch.onText(request.responseText.slice(read));
      read = request.responseText.length;
    };
    request.open('POST', `v1/${path}`);
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => watch.onSent(event.lengthComputable ? event.loaded / event.total : 0);
    request.upload.onload = () => watch.onSent(1);
    request.onprogress = pass;
    request.onload = () => {
      pass();
      const header = (/** @type {string} */ name) => request.getResponseHeader(name);
      if (request.status === 200) resolve({ requestId: header('x-request-id') ?? '' });
      else reject(failureFrom(request.status, request.responseText, header));
    };
    request.onerror = () => reject(new ApiFailure({ status: 0, message: '', code: 'unreachable' }));
    request.onabort = () => reject(new DOMException('stopped', 'AbortError'));
    watch.signal.addEventListener('abort', () => request.abort(), { once: true });
    if (watch.signal.aborted) reject(new DOMException('stopped', 'AbortError'));
    else request.send(form);
  });
}
