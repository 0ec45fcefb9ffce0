// @ts-check
// An upload whose progress can be shown and whose answer is read while it comes. `fetch` tells nothing of the
// progress of an upload, so this is an XMLHttpRequest.
import { ApiFailure, authorization, failureFrom } from './client.js';

/** @typedef {{speakers: boolean, language: string, count: string, words: string}} Options of a transcription */

/** @param {Options} chosen @param {File} file @returns {FormData} */
export function formOf(chosen, file) {
  const form = new FormData();
  for (const [name, value] of fieldsOf(chosen)) form.append(name, value);
  form.append('file', file);
  return form;
}

/**
 * The fields of the request, which the call shows too.
 * @param {Options} chosen
 * @returns {Array<[string, string]>}
 */
export function fieldsOf(chosen) {
  /** @type {Array<[string, string]>} */
  const fields = [
    ['model', 'whisper-1'],
    ['response_format', chosen.speakers ? 'diarized_json' : 'json'],
    ['stream', 'true'],
    ['timestamp_granularities[]', 'word'],
    ['include[]', 'progress'],
    ['include[]', 'peaks'],
  ];
  if (chosen.language) fields.push(['language', chosen.language]);
  if (chosen.speakers && chosen.count) fields.push(['num_speakers', chosen.count]);
  for (const word of chosen.words.split(',').map((text) => text.trim())) if (word) fields.push(['keywords[]', word]);
  return fields;
}

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
    const pass = passing(request, watch.onText, reject);
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
    request.onerror = () => reject(new ApiFailure({ status: 0, message: '', code: pass() ? 'cut' : 'unreachable' }));
    const stop = () => {
      request.abort(); // it tells nothing of a request that has just ended
      reject(new DOMException('stopped', 'AbortError'));
    };
    watch.signal.addEventListener('abort', stop, { once: true });
    if (watch.signal.aborted) stop();
    else request.send(form);
  });
}

/**
 * Passes on what has come since the last call, and gives the number of characters so far. An answer that cannot be
 * understood is read no further.
 * @param {XMLHttpRequest} request @param {(text: string) => void} onText @param {(wrong: unknown) => void} failed
 * @returns {() => number}
 */
function passing(request, onText, failed) {
  let read = 0;
  return () => {
    if (request.status !== 200) return read;
    const text = request.responseText.slice(read);
    read = request.responseText.length;
    try {
      onText(text);
    } catch (wrong) {
      failed(wrong);
      request.abort();
    }
    return read;
  };
}
