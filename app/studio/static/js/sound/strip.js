// @ts-check
// The picture of a recording: a row for each speaker, and its loudness. Pure: values to SVG paths.
import { endOf, startOf } from '../transcript/model.js';

/** Heights in sixteenths of a rem. */
export const LANE = 14;
const PEAK_HEIGHT = 20;

/**
 * @param {import('../transcript/model.js').Transcript} transcript
 * @param {string} speaker
 * @param {number} lane
 * @returns {string} path data; one unit is a second across
 */
export function lanePath(transcript, speaker, lane) {
  const y = PEAK_HEIGHT + 4 + (lane + 0.5) * LANE;
  return transcript.turns
    .filter((turn) => turn.speaker === speaker)
    .map((turn) => `M${startOf(turn).toFixed(2)} ${y}h${Math.max(0.2, endOf(turn) - startOf(turn)).toFixed(2)}`)
    .join('');
}

/**
 * @param {Uint8Array} peaks ten a second
 * @param {number} seconds
 * @param {number} [columns]
 * @returns {string}
 */
export function peakPath(peaks, seconds, columns = 600) {
  if (!peaks.length || !seconds) return '';
  const parts = [];
  // Quiet recordings are drawn as high as loud ones; what is nearly silence stays flat.
  const loudest = peaks.reduce((top, value) => Math.max(top, value), 16);
  for (let column = 0; column < columns; column++) {
    const from = Math.floor((column * seconds * 10) / columns);
    const until = Math.max(from + 1, Math.floor(((column + 1) * seconds * 10) / columns));
    let top = 0;
    for (let index = from; index < until && index < peaks.length; index++) top = Math.max(top, peaks[index]);
    const height = Math.max(0.5, (top / loudest) * (PEAK_HEIGHT - 2));
    parts.push(
      `M${((column * seconds) / columns).toFixed(2)} ${((PEAK_HEIGHT - height) / 2).toFixed(1)}v${height.toFixed(1)}`,
    );
  }
  return parts.join('');
}

/** @param {number} lanes */
export const stripHeight = (lanes) => PEAK_HEIGHT + 4 + Math.max(1, lanes) * LANE;
