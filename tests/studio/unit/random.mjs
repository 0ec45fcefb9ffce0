// The same numbers in every run.

/** @param {number} seed @returns {(limit: number) => number} whole numbers below `limit` */
export function randomFrom(seed) {
  let state = seed;
  return (limit) => {
    state = (state * 48271) % 2147483647;
    return state % limit;
  };
}
