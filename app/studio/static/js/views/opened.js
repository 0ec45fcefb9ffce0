// @ts-check
// What only an open recording needs; loaded after the first view is painted, or as soon as there is one.
import { watchKeys } from './keyboard.js';

export { exportMenu } from './export.js';
export { peopleBox } from './people.js';
export { playerBar } from './player.js';
export { transcriptView } from './transcript.js';

watchKeys();
