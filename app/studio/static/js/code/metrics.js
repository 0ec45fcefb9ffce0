// @ts-check
// Counters of a Prometheus page. Pure.

/**
 * The sum of each counter over its labels.
 * @param {string} text
 * @returns {Map<string, number>}
 */
export function sums(text) {
  /** @type {Map<string, number>} */
  const all = new Map();
  for (const line of text.split('\n')) {
    const found = /^(\w+)(?:\{[^}]*\})? (\S+)/.exec(line);
    if (!found) continue;
    const [, name, value] = found;
    all.set(name, (all.get(name) ?? 0) + Number(value));
  }
  return all;
}
