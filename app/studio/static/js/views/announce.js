// @ts-check
// What a screen reader is told of a recording: started, each tenth, done or failed.
import { effect, untracked } from '../../vendor/signals-core/signals-core.mjs';
import { percent, t } from '../i18n/index.js';
import { announcement } from '../state/app.js';
import { recordings } from '../state/recordings.js';

/** @type {Map<string, string>} what was said last of each recording */
const said = new Map();

export function watchProgress() {
  effect(() => {
    for (const one of recordings.value) {
      const mark = markOf(one.progress.value);
      const before = said.get(one.id);
      said.set(one.id, mark);
      if (mark === before || (before === undefined && mark !== 'sending:0')) continue;
      untracked(() => {
        announcement.value = sentence(one.name, mark) || announcement.value;
      });
    }
  });
}

/** A value that changes only when the screen reader has something new to say. @param {import('../state/recordings.js').Progress} progress */
function markOf({ phase, seconds, expected }) {
  const tenth = phase === 'listening' && expected ? Math.floor((10 * seconds) / expected) : 0;
  return `${phase}:${Math.min(tenth, 9)}`;
}

/** @param {string} name @param {string} mark */
function sentence(name, mark) {
  const [phase, tenth] = mark.split(':');
  if (phase === 'sending') return t('said.started', { name });
  if (phase === 'listening') return tenth === '0' ? '' : t('said.share', { name, share: percent(Number(tenth) / 10) });
  if (phase === 'done') return t('said.done', { name });
  return phase === 'failed' || phase === 'refused' ? t('said.failed', { name }) : '';
}
