// @ts-check
// The voices of the server: fetched once, and again after each change.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { callJson } from '../api/client.js';

/**
 * @typedef {{id: string, name?: string, language?: string, gender?: string, engine?: string, custom: boolean}} Voice
 * @typedef {{id: string, name: string, language: string}} Consent
 */

/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<readonly Voice[] | null>} */
export const voices = signal(null);
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<readonly Consent[] | null>} */
export const consents = signal(null);
let asked = false;

export async function loadVoices() {
  const answer = await callJson('audio/voices');
  voices.value = answer.data.map((/** @type {any} */ voice) => ({ ...voice, custom: voice.id.startsWith('voice_') }));
}

export async function loadConsents() {
  consents.value = (await callJson('audio/voice_consents?limit=100')).data;
}

/** Loads what a view needs, once. */
export function wanted() {
  if (asked) return;
  asked = true;
  loadVoices().catch(() => (asked = false));
  loadConsents().catch(() => undefined);
}
