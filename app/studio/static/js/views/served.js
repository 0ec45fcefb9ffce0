// @ts-check
// What the server sent as the first view, index.html: it is painted and used before the modules of the page are there.

/** The user expects the microphone for so long after the press. */
const RECORD_MILLISECONDS = 2000;

/**
 * Replaces the view that the server sent by the same view as the page draws it. What the user has done in the old one
 * (files, buttons, menus, the language, the focus) is repeated in the new one.
 * @param {HTMLElement} view
 * @param {() => void} draw
 * @param {(files: File[]) => void} take
 */
export function replaceServed(view, draw, take) {
  const focused = document.activeElement;
  const sent = [...view.childNodes];
  /** @type {HTMLElement[]} */
  const before = [...view.querySelectorAll(/** @type {'div'} */ ('[data-first], a'))];
  view.replaceChildren();
  try {
    draw();
  } catch (wrong) {
    view.replaceChildren(...sent); // it says that the page could not be loaded
    throw wrong;
  }
  delete document.documentElement.dataset.served;
  delete document.documentElement.dataset.taken;
  for (const old of before) {
    const now = counterpart(view, old);
    if (now && old.contains(focused)) focusable(now, focused).focus();
    carry(old, now, take);
  }
}

/** @param {HTMLElement} view @param {HTMLElement} old @returns {HTMLElement | null} */
function counterpart(view, old) {
  const { first } = old.dataset;
  return view.querySelector(first ? `[data-first="${first}"]` : `a[href="${old.getAttribute('href')}"]`);
}

/** @param {HTMLElement} now @param {Element | null} focused */
function focusable(now, focused) {
  return focused?.localName === 'summary' ? /** @type {HTMLElement} */ (now.firstElementChild) : now;
}

/** @param {HTMLElement} old @param {HTMLElement | null} now @param {(files: File[]) => void} take */
function carry(old, now, take) {
  if (old instanceof HTMLInputElement) {
    const chosen = () => void (old.files?.length && take([...old.files]));
    old.addEventListener('change', chosen); // the dialog in which the browser lists files may still be open
    chosen();
  }
  if (old instanceof HTMLDetailsElement && now instanceof HTMLDetailsElement) now.open = old.open;
  if (old instanceof HTMLSelectElement && now instanceof HTMLSelectElement) carryChoice(old, now);
  if (old.dataset.pressed && now) pressAgain(now, Number(old.dataset.pressed));
}

/** @param {HTMLSelectElement} old @param {HTMLSelectElement} now */
function carryChoice(old, now) {
  const choose = () => {
    now.value = old.value;
    now.dispatchEvent(new Event('change', { bubbles: true }));
  };
  old.addEventListener('change', choose); // its menu may still be open
  if (!old.selectedOptions[0]?.defaultSelected) choose();
}

/** @param {HTMLElement} button @param {number} pressed how often, the button of the theme; when, another one */
function pressAgain(button, pressed) {
  const { first } = button.dataset;
  const late = Date.now() - pressed > RECORD_MILLISECONDS || document.visibilityState !== 'visible';
  if (first === 'record' && late) return button.focus(); // nobody is heard who no longer expects it
  for (let left = first === 'theme' ? pressed : 1; left > 0; left -= 1) button.click();
}
