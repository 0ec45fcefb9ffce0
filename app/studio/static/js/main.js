// @ts-check
// The page: one effect renders everything that it reads.
import { render } from '../vendor/lit-html/lit-html.js';
import { effect } from '../vendor/signals-core/signals-core.mjs';
import { callJson } from './api/client.js';
import { loadLocale } from './i18n/index.js';
import { about, parseRoute, route, theme } from './state/app.js';
import { restore, working } from './state/library.js';
import { watchKeys } from './views/keyboard.js';
import { shell } from './views/shell.js';

async function begin() {
  window.addEventListener('hashchange', () => {
    route.value = parseRoute(location.hash);
    document.getElementById('main')?.focus();
  });
  window.addEventListener('beforeunload', (event) => {
    if (working.value) event.preventDefault();
  });
  watchKeys();
  await Promise.all([loadLocale(), restore().catch(() => undefined)]);
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
  const root = /** @type {HTMLElement} */ (document.getElementById('app'));
  root.replaceChildren();
  effect(() => void render(shell(), root));
  about.value = await callJson('about').catch(() => null);
}

void begin();
