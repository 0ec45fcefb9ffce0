// @ts-check
// The page: one effect renders the view, another the player's bar, so that playing renders no text.
import { nothing, render } from '../vendor/lit-html/lit-html.js';
import { effect, untracked } from '../vendor/signals-core/signals-core.mjs';
import { loadAbout } from './api/client.js';
import { loadLocale, locale, t } from './i18n/index.js';
import { leave } from './sound/player.js';
import { keyChanges, parseRoute, route, theme, untold } from './state/app.js';
import { restored, watchTabs } from './state/kept.js';
import { settle, working } from './state/library.js';
import { recording, recordings } from './state/recordings.js';
import { leaveTake, take } from './state/take.js';
import { watchProgress } from './views/announce.js';
import { keepingFocus } from './views/focus.js';
import { later } from './views/later.js';
import { watchMenus } from './views/menu.js';
import { replaceServed } from './views/served.js';
import { shell } from './views/shell.js';
import { take as takeFiles, watchDrops } from './views/transcribe.js';

async function begin() {
  window.addEventListener('hashchange', moved);
  window.addEventListener('beforeunload', (event) => {
    if (working.value || take.value) event.preventDefault();
  });
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
  watchMenus();
  watchTabs();
  const loaded = restored();
  await loadLocale().catch(() => undefined); // then the page speaks English
  effect(() => {
    document.documentElement.lang = locale.value;
  });
  // A new browser profile takes long to open its storage; only the view of one transcript has to wait for it.
  if (route.value.id) {
    later('opened');
    await loaded;
  }
  effect(() => {
    void locale.value; // the name of the view is a text of the page
    document.title = `${recording(route.value.id)?.name ?? t(`nav.${route.value.view}`)} · Antiphon`;
  });
  draw(loaded);
  effect(silence);
  watchProgress();
  effect(() => {
    void keyChanges.value;
    void untracked(loadAbout);
  });
}

/** Draws the view and the player's bar, now and after each change. @param {Promise<void>} loaded the transcripts that this browser keeps */
function draw(loaded) {
  const view = element('app');
  const bar = element('player');
  const drawn = () => void effect(() => keepingFocus(() => void render(shell(), view)));
  // One that is kept may be what the file belongs to.
  const taken = (/** @type {File[]} */ files) =>
    void (route.value.id ? loaded.then(() => takeFiles(files)) : takeFiles(files));
  replaceServed(view, drawn, taken);
  watchDrops(); // no sooner: until then `first.js` takes what is dropped
  effect(() => void render(recordings.value.length ? later('opened')?.playerBar() : nothing, bar));
  effect(() => {
    // They are there before the server may no longer be reached.
    if (recordings.value.length) later('dialogs');
  });
  // After the first view is painted.
  requestAnimationFrame(() => setTimeout(() => later('opened')));
}

function moved() {
  settle(); // not every browser tells that a field which vanishes loses the focus
  const before = route.value;
  route.value = parseRoute(location.hash);
  if (untold.value && !untold.value.declined) void loadAbout();
  if (before.view !== route.value.view || before.id !== route.value.id) {
    leaveTake();
    leave();
  }
  element('main').focus();
}

/** Another tab may have forgotten what is heard here. */
function silence() {
  if (!recording(route.value.id)) untracked(leave);
}

/** @param {string} id @returns {HTMLElement} */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

void begin();
