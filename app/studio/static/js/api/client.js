// @ts-check
// Calls of the public API. Every failure becomes an ApiFailure with the server's own words.
import { about, key, keyWanted, untold } from '../state/app.js';

export class ApiFailure extends Error {
  /** @param {{status: number, message: string, param?: string | null, code?: string | null, requestId?: string, retryAfter?: number}} facts */
  constructor(facts) {
    super(facts.message);
    this.status = facts.status;
    this.param = facts.param ?? null;
    this.code = facts.code ?? null;
    this.requestId = facts.requestId ?? '';
    /** Seconds after which the server asks the client to try again; 0: it did not say. */
    this.retryAfter = facts.retryAfter ?? 0;
    /** Whether the user was asked for a key because of it, and gave none. */
    this.declined = false;
  }
}

/** @returns {Record<string, string>} */
export function authorization() {
  return key.value ? { Authorization: `Bearer ${key.value}` } : {};
}

/**
 * @param {string} path below /v1
 * @param {RequestInit} [options]
 * @returns {Promise<Response>} an answer with a status below 400
 */
export async function call(path, options = {}) {
  const used = key.value;
  const answer = await reached(() =>
    fetch(`v1/${path}`, { ...options, headers: { ...authorization(), ...options.headers }, cache: 'no-store' }),
  );
  if (answer.status === 401) {
    // Another key may have been given since this request was sent.
    if (key.value === used) await askForKey(await failureOf(answer));
    return call(path, options);
  }
  if (!answer.ok) throw await failureOf(answer);
  return answer;
}

/** @param {string} path @param {RequestInit} [options] @returns {Promise<any>} */
export async function callJson(path, options) {
  const answer = await call(path, options);
  const text = await reached(() => answer.text(), 'cut');
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiFailure({ status: answer.status, message: '' }); // a proxy in front answered with something else
  }
}

/** @param {string} path @param {RequestInit} [options] @returns {Promise<Blob>} */
export async function callBlob(path, options) {
  const answer = await call(path, options);
  return reached(() => answer.blob(), 'cut');
}

/** No upload is sent to learn that there is no key. A key that may not read may still transcribe. */
export async function checkKey() {
  try {
    await call('models');
  } catch (wrong) {
    if (!(wrong instanceof ApiFailure && wrong.status === 403)) throw wrong;
  }
}

/** Asks what the server says of itself, and keeps why it did not. */
export async function loadAbout() {
  try {
    about.value = await callJson('about');
    untold.value = null;
  } catch (wrong) {
    untold.value = failureOfAny(wrong);
  }
}

/**
 * Waits until the user has given a key; all requests that wait go on with the same one.
 * @param {ApiFailure} failure the API's own words
 * @returns {Promise<void>} fails with `failure` where the user gives none
 */
export function askForKey(failure) {
  return new Promise((resolve, reject) => {
    const before = keyWanted.value;
    keyWanted.value = {
      message: failure.message,
      retry: () => {
        before?.retry();
        resolve();
      },
      refuse: () => {
        keyWanted.value = null;
        before?.refuse();
        failure.declined = true;
        reject(failure);
      },
    };
  });
}

/**
 * Why an upload broke off: a server that refuses a key may close the connection before it has the whole upload, and
 * then the browser tells no status. So the key is tried once more.
 * @param {ApiFailure} failure
 * @returns {Promise<ApiFailure>} the 401 if there is one
 */
export async function explained(failure) {
  if (failure.code !== 'unreachable') return failure;
  const answer = await fetch('v1/models', { headers: authorization(), cache: 'no-store' }).catch(() => null);
  return answer?.status === 401 ? failureOf(answer) : failure;
}

/** @param {Response} answer @returns {Promise<ApiFailure>} */
export async function failureOf(answer) {
  const text = await answer.text().catch(() => ''); // its status tells enough
  return failureFrom(answer.status, text, (name) => answer.headers.get(name));
}

/** @param {unknown} wrong @returns {ApiFailure} */
export const failureOfAny = (wrong) =>
  wrong instanceof ApiFailure ? wrong : new ApiFailure({ status: 0, message: String(wrong) });

/**
 * @param {number} status
 * @param {string} body
 * @param {(name: string) => string | null} header
 */
export function failureFrom(status, body, header) {
  let error = /** @type {any} */ ({});
  try {
    error = JSON.parse(body).error ?? {};
  } catch {
    // A proxy in front may answer without JSON.
  }
  return new ApiFailure({
    status,
    message: error.message ?? `HTTP ${status}`,
    param: error.param,
    code: error.code,
    requestId: header('x-request-id') ?? '',
    retryAfter: Number(header('retry-after')) || 0,
  });
}

/**
 * A step that needs the server: a connection that breaks is a failure as others are.
 * @template T
 * @param {() => Promise<T>} step
 * @param {'unreachable' | 'cut'} [code]
 * @returns {Promise<T>}
 */
export async function reached(step, code = 'unreachable') {
  try {
    return await step();
  } catch (wrong) {
    if (wrong instanceof DOMException && wrong.name === 'AbortError') throw wrong;
    throw new ApiFailure({ status: 0, message: '', code });
  }
}
