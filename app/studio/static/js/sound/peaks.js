// @ts-check
// How loud a recording is, as it comes: one byte for each tenth of a second. Pure.

/** The most values (seven days at ten a second): an event with a wrong start must not use up the memory. */
const MOST = 6_048_000;

/**
 * @param {Uint8Array} peaks
 * @param {{start: number, rate: number, data: string}} event `data` in base64, from the second `start` on
 * @returns {Uint8Array}
 */
export function withPeaks(peaks, event) {
  const fresh = Uint8Array.from(atob(event.data), (letter) => letter.charCodeAt(0));
  const at = Math.round(event.start * event.rate);
  if (!(at >= 0) || at + fresh.length > MOST) return peaks;
  const all = new Uint8Array(Math.max(peaks.length, at + fresh.length));
  all.set(peaks);
  all.set(fresh, at);
  return all;
}
