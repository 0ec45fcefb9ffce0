// @ts-check
// A long text in parts that one request may hold. Pure.

/**
 * Cut at sentences; a sentence that is too long by itself is cut at a space, and a word without end anywhere but
 * inside a character.
 * @param {string} text
 * @param {number} limit characters of a part
 * @returns {string[]}
 */
export function parts(text, limit) {
  const segmenter = new Intl.Segmenter(undefined, { granularity: 'sentence' });
  /** @type {string[]} */
  const all = [];
  let open = '';
  for (const { segment } of segmenter.segment(text)) {
    if (open.length + segment.length <= limit) open += segment;
    else {
      all.push(open, ...pieces(segment, limit));
      open = all.pop() ?? '';
    }
  }
  return [...all, open].map((part) => part.trim()).filter(Boolean);
}

/** @param {string} sentence @param {number} limit @returns {string[]} */
function pieces(sentence, limit) {
  const all = [];
  let rest = sentence;
  while (rest.length > limit) {
    const space = rest.lastIndexOf(' ', limit);
    const at = space > 0 ? space : wholeCharacters(rest, limit);
    all.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...all, rest];
}

/** The longest cut below `limit` that leaves surrogate pairs whole. @param {string} text @param {number} limit */
function wholeCharacters(text, limit) {
  const splits = /[\uD800-\uDBFF]/.test(text[limit - 1]) && limit > 1;
  return splits ? limit - 1 : limit;
}
