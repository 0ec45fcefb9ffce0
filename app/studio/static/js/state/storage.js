// @ts-check
// What the browser keeps under a name. Where the user blocks the data of sites, even looking throws; the page then works without.

/** @typedef {'local' | 'session'} Where */

/** @param {Where} where */
const storage = (where) => (where === 'local' ? localStorage : sessionStorage);

/** @param {Where} where @param {string} name @returns {string | null} */
export function stored(where, name) {
  try {
    return storage(where).getItem(name);
  } catch {
    return null;
  }
}

/** @param {Where} where @param {string} name @param {string | null} value null: nothing is kept under this name */
export function store(where, name, value) {
  try {
    if (value === null) storage(where).removeItem(name);
    else storage(where).setItem(name, value);
  } catch {
    // It counts until the page is closed.
  }
}
