// @ts-check
// The voices of the server: fetched once, and again after each change.
import { signal } from '../../vendor/signals-core/signals-core.mjs';
import { ApiFailure, callJson } from '../api/client.js';

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
/** Why they could not be loaded. @type {import('../../vendor/signals-core/signals-core.mjs').Signal<ApiFailure | null>} */
export const unloaded = signal(null);
let asked = false;

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

/** Loads what a view needs, once. */
export function wanted() {
  if (asked) return;
  asked = true;
  void load();
}

export async function load() {
  unloaded.value = null;
  loadConsents().catch(() => undefined);
  try {
    await loadVoices();
  } catch (wrong) {
    unloaded.value = wrong instanceof ApiFailure ? wrong : new ApiFailure({ status: 0, message: String(wrong) });
  }
}
