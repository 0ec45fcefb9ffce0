// @ts-check
// Runs before the first paint. It is a plain script and no module, so that it does not wait for modules. It sets the theme
// that the user chose, hides what the server sent where another view or language was asked for, and keeps what the user
// does with it until the modules are there: `views/served.js` takes that over. Where they do not come, the page says so.
(() => {
  const MOST_MILLISECONDS = 15_000;
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
  if (otherLanguage || !/^#?\/?(transcribe)?$/.test(location.hash)) {
    page.dataset.served = 'hidden';
    document.title = 'Antiphon';
  }
  if (!('mediaDevices' in navigator && 'MediaRecorder' in window)) page.dataset.microphone = 'none';

  /** Whether the page still is what the server sent, and its modules may come. */
  const served = () => 'served' in page.dataset && page.dataset.served !== 'failed';
  const fail = () => {
    if (served()) page.dataset.served = 'failed'; // until the modules come after all
  };
  /** @param {Event} event */
  const failed = ({ target }) => {
    if (target === window || target instanceof HTMLScriptElement) fail();
  };
  window.addEventListener('error', failed, true); // that of a script does not bubble
  window.addEventListener('unhandledrejection', fail);
  setTimeout(fail, MOST_MILLISECONDS);

  const taken = new DataTransfer();
  const chooser = () => /** @type {HTMLInputElement | null} */ (document.querySelector('[data-first="choose"]'));
  /** Keeps the files in the field for files, from which the page takes them. */
  const keep = () => {
    const input = chooser();
    if (!input || !taken.files.length || !served()) return;
    input.files = taken.files;
    page.dataset.taken = '';
    const names = [...taken.files].map((file) => file.name).join(', ');
    for (const line of document.querySelectorAll('.limits, [role="status"]')) line.textContent = names;
  };
  /** @param {FileList} files */
  const take = (files) => {
    for (const file of files) taken.items.add(file);
    keep();
  };
  document.addEventListener('readystatechange', keep); // the field may not have been there
  const wanted = () => !/^#?\/?(speak|voices|server|live)(\/|$)/.test(location.hash);
  for (const name of /** @type {const} */ (['dragover', 'drop'])) {
    document.addEventListener(name, (event) => {
      const files = event.dataTransfer;
      if (!served() || !files?.types.includes('Files')) return;
      event.preventDefault(); // else the browser leaves the page to show the file
      if (!wanted()) files.dropEffect = 'none';
      else if (name === 'drop') take(files.files);
    });
  }
  document.addEventListener('change', ({ target }) => {
    if (served() && target instanceof HTMLInputElement && target === chooser() && target.files) take(target.files);
  });
  window.addEventListener('beforeunload', (event) => {
    if ('served' in page.dataset && taken.files.length) event.preventDefault();
  });

  /** @param {HTMLButtonElement} button */
  const press = (button) => {
    if (button.dataset.first === 'theme') {
      button.dataset.pressed = String(Number(button.dataset.pressed ?? 0) + 1);
      return;
    }
    for (const before of document.querySelectorAll('[data-first][aria-busy]')) {
      before.removeAttribute('aria-busy');
      before.removeAttribute('data-pressed');
    }
    button.dataset.pressed = String(Date.now());
    button.setAttribute('aria-busy', 'true');
  };
  document.addEventListener('click', (event) => {
    const { target } = event;
    if (!('served' in page.dataset) || !(target instanceof Element)) return;
    if (target.closest('.unloaded a')) {
      event.preventDefault(); // its address has no view
      location.reload();
    }
    const button = target.closest('button');
    if (button && served()) press(button);
  });
})();
