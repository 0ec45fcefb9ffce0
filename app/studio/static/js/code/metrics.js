// @ts-check
// Counters of a Prometheus page. Pure.

/**
 * The sum of each counter over its labels; `refused` counts the answers 429 and 503.
 * @param {string} text
 * @returns {Map<string, number>}
 */
export function sums(text) {
  /** @type {Map<string, number>} */
  const all = new Map();
  for (const line of text.split('\n')) {
    const found = /^(\w+)(?:\{([^}]*)\})? (\S+)/.exec(line);
    if (!found) continue;
    const [, name, labels = '', value] = found;
    const add = (/** @type {string} */ key) => all.set(key, (all.get(key) ?? 0) + Number(value));
    add(name);
    if (name === 'antiphon_requests_total' && /status="(?:429|503)"/.test(labels)) add('refused');
  }
  return all;
}
