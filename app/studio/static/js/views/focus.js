// @ts-check
// Where the focus goes when a rendering takes away, or disables, what had it. Else it would fall to the top of the page.

const CONTROLS = 'button:enabled, a[href], summary, input:enabled, select:enabled, textarea:enabled';

/** @param {() => void} draw renders the view. The focused element keeps the focus; if it is gone, a control near it gets the focus, preferably one marked `data-next` */
export function keepingFocus(draw) {
  /** @type {HTMLElement[]} */
  const path = [];
  for (let one = document.activeElement; one instanceof HTMLElement && one !== document.body; one = one.parentElement) {
    path.push(one);
  }
  draw();
  const [before, ...around] = path;
  if (!before || before === document.activeElement) return;
  if (before.isConnected && !before.matches(':disabled')) return before.focus();
  for (const one of around.filter((element) => element.isConnected)) {
    const controls = [...one.querySelectorAll('[data-next]'), ...one.querySelectorAll(CONTROLS)];
    const next = controls.find((control) => control.checkVisibility());
    if (next instanceof HTMLElement) return next.focus();
  }
  document.getElementById('main')?.focus();
}
