// @ts-check
// Runs before anything is painted, and is no module, so that it waits for none. It gives the page the theme that the user
// chose, hides what the server sent where another view or language was asked for, and keeps what the user does with it until
// the modules are there: `views/served.js` takes that over.
(() => {
  const page = document.documentElement;
  /** @param {string} name */
  const stored = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // the user blocks the data of sites
    }
  };
  page.dataset.theme = stored('antiphon-theme') ?? 'auto';
  const otherLanguage = (stored('antiphon-locale') ?? page.lang) !== page.lang;
  if (otherLanguage || !/^#?\/?(transcribe)?$/.test(location.hash)) page.dataset.served = 'hidden';
  if (!('mediaDevices' in navigator && 'MediaRecorder' in window)) page.dataset.microphone = 'none';

  /** Whether the page still is what the server sent. */
  const served = () => 'served' in page.dataset;
  const chooser = () => /** @type {HTMLInputElement | null} */ (document.querySelector('[data-first="choose"]'));
  for (const name of /** @type {const} */ (['dragover', 'drop'])) {
    document.addEventListener(name, (event) => {
      const files = event.dataTransfer;
      if (!served() || !files?.types.includes('Files')) return;
      event.preventDefault(); // else the browser leaves the page to show the file
      const input = chooser();
      if (name !== 'drop' || !input || page.dataset.served === 'hidden') return;
      input.files = files.files;
      page.dataset.served = 'taken';
    });
  }
  document.addEventListener('change', ({ target }) => {
    if (served() && target === chooser() && chooser()?.files?.length) page.dataset.served = 'taken';
  });
  document.addEventListener('click', ({ target }) => {
    if (served() && target instanceof Element) target.closest('button')?.setAttribute('data-pressed', '');
  });
})();
