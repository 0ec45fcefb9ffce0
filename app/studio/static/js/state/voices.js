// @ts-check
// The voices of the server: fetched once, and again after each change.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { callJson, failureOfAny } from '../api/client.js';
import { keyChanges } from './app.js';

/**
 * @typedef {{id: string, name?: string, language?: string, gender?: string, engine?: string, custom: boolean,
 *   consent?: string, matched_voice?: string, similarity?: number}} Voice `consent` and what follows: of custom voices
 * @typedef {{id: string, name: string, language: string}} Consent
 */

export const DEFAULT_VOICE = 'cedar';

/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<readonly Voice[] | null>} */
export const voices = signal(null);
/** @type {import('../../vendor/signals-core/signals-core.mjs').Signal<readonly Consent[] | null>} */
export const consents = signal(null);
/** The voice that speaks. */
export const voice = signal(DEFAULT_VOICE);
/** Voices that are put side by side. */
export const compared = signal(/** @type {readonly string[]} */ ([]));
/** Why they could not be loaded. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<import('../api/client.js').ApiFailure | null>} */
export const unloaded = signal(null);
/** How often the key had been changed when they were asked for; -1: they were not. */
let asked = -1;

export async function loadVoices() {
  const answer = await callJson('audio/voices');
  voices.value = answer.data.map((/** @type {any} */ one) => ({ ...one, custom: one.id.startsWith('voice_') }));
  // A voice that was deleted is no longer chosen.
  const there = new Set(voices.value?.map((one) => one.id));
  if (!there.has(voice.value)) voice.value = there.has(DEFAULT_VOICE) ? DEFAULT_VOICE : (voices.value?.[0]?.id ?? '');
  compared.value = compared.value.filter((id) => there.has(id));
  unloaded.value = null;
}

export async function loadConsents() {
  consents.value = (await callJson('audio/voice_consents?limit=100')).data;
}

/** Loads what a view needs, once for each key. */
export function wanted() {
  if (asked === keyChanges.value) return;
  const other = asked >= 0;
  asked = keyChanges.value;
  // Not while the view is rendered, which reads them.
  queueMicrotask(() => {
    if (other) voices.value = consents.value = null;
    void load();
  });
}

export async function load() {
  unloaded.value = null;
  loadConsents().catch(() => undefined);
  try {
    await loadVoices();
  } catch (wrong) {
    unloaded.value = failureOfAny(wrong);
  }
}
