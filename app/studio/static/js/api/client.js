// @ts-check
// Calls of the public API. Every failure becomes an ApiFailure with the server's own words.
import { key, keyWanted } from '../state/app.js';

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
  return (await call(path, options)).json();
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
  return failureFrom(answer.status, await answer.text(), (name) => answer.headers.get(name));
}

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

/** @template T @param {() => Promise<T>} step @returns {Promise<T>} */
async function reached(step) {
  try {
    return await step();
  } catch (wrong) {
    if (wrong instanceof DOMException && wrong.name === 'AbortError') throw wrong;
    throw new ApiFailure({ status: 0, message: '', code: 'unreachable' });
  }
}
