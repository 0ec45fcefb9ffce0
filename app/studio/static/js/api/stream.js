// @ts-check
// Server-sent events from text in any pieces.
import { createParser } from '../../vendor/eventsource-parser/index.js';

/**
 * @param {(event: any) => void} onEvent each frame's JSON
 * @param {() => void} onEnd the mark [DONE]
 * @returns {(text: string) => void} takes the next piece
 */
export function eventReader(onEvent, onEnd) {
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === '[DONE]') onEnd();
      else onEvent(JSON.parse(data));
    },
  });
  return (text) => parser.feed(text);
}
