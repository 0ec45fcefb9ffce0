// @ts-check
// Aligns an edited text with the words before the edit: words that stay keep their times, new ones share the gaps. Pure.

/** @typedef {import('./model.js').Word} Word */

/** More words than this in both texts are compared by their common beginning and end only. */
const LARGEST_TABLE = 1_000_000;

/**
 * Words of `text` with times: a word that stood there before keeps its time (longest common subsequence), new
 * ones share the gap between their neighbours.
 * @param {readonly Word[]} before
 * @param {string} text
 * @param {number} start seconds, where the gap begins if nothing is before it
 * @param {number} end
 * @returns {Word[]}
 */
export function realigned(before, text, start, end) {
  const wanted = text.split(/\s+/).filter(Boolean);
  const kept = matches(
    before.map((word) => word.text),
    wanted,
  );
  /** @type {Word[]} */
  const words = [];
  let at = 0;
  while (at < wanted.length) {
    const old = kept.get(at);
    if (old !== undefined) {
      words.push({ ...before[old], text: wanted[at++] });
      continue;
    }
    let until = at;
    while (until < wanted.length && kept.get(until) === undefined) until++;
    const following = kept.get(until);
    // Times of recognised words may overlap a little; new words never begin after the word that follows them.
    const limit = following === undefined ? Infinity : before[following].start;
    const left = Math.min(words.at(-1)?.end ?? start, limit);
    const right = following === undefined ? Math.max(left, end) : limit;
    words.push(...spread(wanted.slice(at, until), left, right));
    at = until;
  }
  return words;
}

/** @param {readonly string[]} texts @param {number} left @param {number} right @returns {Word[]} */
function spread(texts, left, right) {
  const step = (right - left) / texts.length;
  return texts.map((text, index) => ({ text, start: left + index * step, end: left + (index + 1) * step }));
}

/**
 * @param {readonly string[]} old
 * @param {readonly string[]} fresh
 * @returns {Map<number, number>} index in `fresh` -> index in `old`
 */
export function matches(old, fresh) {
  /** @type {Map<number, number>} */
  const pairs = new Map();
  let head = 0;
  while (head < old.length && head < fresh.length && old[head] === fresh[head]) pairs.set(head, head++);
  let tail = 0;
  while (tail < old.length - head && tail < fresh.length - head && old.at(-1 - tail) === fresh.at(-1 - tail)) {
    pairs.set(fresh.length - 1 - tail, old.length - 1 - tail);
    tail++;
  }
  const a = old.slice(head, old.length - tail);
  const b = fresh.slice(head, fresh.length - tail);
  if (a.length * b.length <= LARGEST_TABLE) {
    for (const [i, j] of commonSubsequence(a, b)) pairs.set(j + head, i + head);
  }
  return pairs;
}

/** @param {readonly string[]} a @param {readonly string[]} b @returns {Array<[number, number]>} */
function commonSubsequence(a, b) {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[i] === b[j]
          ? lengths[(i + 1) * width + j + 1] + 1
          : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  /** @type {Array<[number, number]>} */
  const pairs = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
    else j++;
  }
  return pairs;
}

/**
 * Where two texts differ, by words without case and punctuation. A word that was written in two ("open AI" for
 * "OpenAI") is no difference.
 * @param {readonly string[]} expected @param {readonly string[]} said
 * @returns {{missing: Set<number>, extra: Set<number>}} indices in `expected` and in `said`
 */
export function differences(expected, said) {
  const plain = (/** @type {readonly string[]} */ words) =>
    words.map((word) => word.toLowerCase().replace(/[^\p{L}\p{N}]/gu, ''));
  const [a, b] = [plain(expected), plain(said)];
  const pairs = [...matches(a, b)].sort(([one], [other]) => one - other);
  const missing = new Set();
  const extra = new Set();
  let [old, fresh] = [0, 0];
  for (const [j, i] of [...pairs, [b.length, a.length]]) {
    if (a.slice(old, i).join('') !== b.slice(fresh, j).join('')) {
      for (let index = old; index < i; index++) missing.add(index);
      for (let index = fresh; index < j; index++) extra.add(index);
    }
    [old, fresh] = [i + 1, j + 1];
  }
  return { missing, extra };
}
