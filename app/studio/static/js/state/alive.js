// @ts-check
// Which tabs are still there. The browser releases the lock of a tab also when that tab crashes; nothing else tells the
// other tabs of a crash. Browsers give locks over https and on this machine only; elsewhere a crash of a tab is not noticed.

const PREFIX = 'antiphon-tab:';
/** The name of this tab; empty until the tab needs one. */
let mine = '';
/** The tabs whose end is waited for, or has come. @type {Set<string>} */
const watched = new Set();
/** @type {Set<string>} */
const gone = new Set();

/** @param {string} tab */
export const isGone = (tab) => gone.has(tab);

/** The name of this tab for the others; from now on they notice its end. @returns {string} */
export function nameTab() {
  if (!mine && navigator.locks) {
    mine = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16)).join('-');
    void navigator.locks.request(PREFIX + mine, () => new Promise(() => undefined)); // until the tab is gone
  }
  return mine;
}

/** @param {string} tab as it has named itself; empty: it could not @param {(tab: string) => void} then once it is gone */
export function whenGone(tab, then) {
  if (!tab || tab === mine || !navigator.locks || watched.has(tab)) return;
  watched.add(tab);
  void navigator.locks.request(PREFIX + tab, { mode: 'shared' }, () => {
    gone.add(tab);
    then(tab);
  });
}
