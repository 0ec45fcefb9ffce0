// @ts-check
// Menus that drop down: a click elsewhere, Escape or a choice closes them.
import { html, nothing } from '../../vendor/lit-html/lit-html.js';

/** @param {unknown} label @param {unknown} content @param {string} [name] for screen readers, where the label is an icon */
export const menu = (label, content, name) =>
  html`<details class="menu"><summary class="button" aria-label=${name ?? nothing}>${label}</summary>${content}</details>`;

export function watchMenus() {
  document.addEventListener('click', (event) => closeAllBut(/** @type {Element} */ (event.target).closest('.menu')));
  document.addEventListener('focusin', (event) => closeAllBut(/** @type {Element} */ (event.target).closest('.menu')));
  document.addEventListener('keydown', (event) => {
    const open = /** @type {Element} */ (event.target).closest('.menu[open]');
    if (event.key !== 'Escape' || !open) return;
    event.stopPropagation();
    close(/** @type {HTMLDetailsElement} */ (open));
  });
}

/** @param {Element | null} kept */
function closeAllBut(kept) {
  for (const one of document.querySelectorAll('.menu[open]')) if (one !== kept) one.removeAttribute('open');
}

/** Closes a menu and gives the focus to what opened it. @param {HTMLDetailsElement} open */
function close(open) {
  open.open = false;
  open.querySelector('summary')?.focus();
}

/** For buttons in a menu: what was chosen closes it. @param {Event} event */
export function closeMenu(event) {
  const open = /** @type {Element} */ (event.target).closest('.menu');
  if (open instanceof HTMLDetailsElement) close(open);
}
