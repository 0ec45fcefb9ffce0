// @ts-check
// Which word is heard at a time. Pure.

/** @typedef {import('./model.js').Word} Word */

/**
 * @param {readonly Word[]} words in order of their times
 * @param {number} seconds
 * @returns {number} index of the last word that has begun; -1 before the first
 */
export function wordAt(words, seconds) {
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle].start <= seconds + 0.01) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
