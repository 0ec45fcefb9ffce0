// @ts-check
// A live session: a WebSocket of the public API. The key stays out of its URL: a client secret opens it.
import { ApiFailure, callJson } from './client.js';

const COMPLETED = 'conversation.item.input_audio_transcription.completed';
const FAILED = 'conversation.item.input_audio_transcription.failed';
const STARTED = 'input_audio_buffer.speech_started';
const STOPPED = 'input_audio_buffer.speech_stopped';
const COMMITTED = 'input_audio_buffer.committed';
/** The id of the commit at the end. An error that answers it repeats the id. */
const LAST_COMMIT = 'last';
const DELTA = 'conversation.item.input_audio_transcription.delta';
/** Milliseconds that the last words may take. */
const LAST_MILLISECONDS = 15_000;

/**
 * @typedef {{delta: (item: string, text: string) => void, started: (item: string, at: number | null) => void,
 *   completed: (item: string, text: string | null) => void, broken: (failure: ApiFailure) => void}} Hears
 *   `started`: milliseconds of the sound at which somebody begins to speak; null: not known.
 *   `completed`: the whole text; null: no further words come
 */

export class LiveConnection {
  /** @param {WebSocket} socket @param {Hears} hears */
  constructor(socket, hears) {
    this.socket = socket;
    this.hears = hears;
    /** @type {Set<string>} Items whose text is not complete. */
    this.open = new Set();
    /** @type {Set<string>} Items that were told. */
    this.known = new Set();
    /** @type {Set<string>} Items whose end the server has found by itself. */
    this.stopped = new Set();
    /** Whether the server has answered the commit at the end. */
    this.answered = false;
    /** @type {(() => void) | null} */
    this.settled = null;
    this.ended = false;
    socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    socket.onclose = () => this.lost();
  }

  /** @param {string} language @param {Hears} hears @returns {Promise<LiveConnection>} */
  static async begin(language, hears) {
    const session = {
      type: 'transcription',
      audio: { input: { transcription: { model: 'whisper-1', ...(language ? { language } : {}) } } },
    };
    const secret = await callJson('realtime/client_secrets', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ session }),
    });
    const address = new URL('v1/realtime?intent=transcription', document.baseURI);
    address.hash = '';
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(address, ['realtime', `openai-insecure-api-key.${secret.value}`]);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new ApiFailure({ status: 0, message: '', code: 'unreachable' }));
    });
    return new LiveConnection(socket, hears);
  }

  /** @param {string} audio base64 */
  append(audio) {
    if (this.socket.readyState === WebSocket.OPEN) this.send({ type: 'input_audio_buffer.append', audio });
  }

  /**
   * Returns when everything that was said is complete, or no answer comes. What was said last may be a turn that the
   * server has not announced yet, so there is a commit in any case, and its answer is waited for.
   */
  async finish() {
    this.ended = true;
    if (this.socket.readyState === WebSocket.OPEN) {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let timer;
      await new Promise((resolve) => {
        this.settled = () => resolve(undefined);
        timer = setTimeout(resolve, LAST_MILLISECONDS);
        this.send({ type: 'input_audio_buffer.commit', event_id: LAST_COMMIT });
      });
      clearTimeout(timer);
    }
    this.socket.close(1000);
  }

  /** Ends at once; what has not come is not waited for. */
  drop() {
    this.ended = true;
    this.socket.onmessage = null;
    this.socket.close(1000);
  }

  /** @param {object} event */
  send(event) {
    this.socket.send(JSON.stringify(event));
  }

  /** @param {any} event */
  receive(event) {
    const item = event.item_id;
    if (event.type === STARTED) this.begun(item, event.audio_start_ms);
    else if (event.type === STOPPED) this.stopped.add(item);
    else if (event.type === COMMITTED) this.committed(item);
    else if (event.type === DELTA) {
      this.begun(item, null);
      this.hears.delta(item, event.delta);
    } else if (event.type === COMPLETED || event.type === FAILED) {
      if (event.transcript) this.begun(item, null);
      this.hears.completed(item, event.transcript ?? null);
      this.open.delete(item);
      this.settle();
    } else if (event.type === 'error') this.failed(event.error);
  }

  /** @param {string} item @param {number | null} at */
  begun(item, at) {
    if (this.known.has(item)) return;
    this.known.add(item);
    this.open.add(item);
    this.hears.started(item, at);
  }

  /** @param {string} item */
  committed(item) {
    if (this.stopped.has(item)) return;
    this.open.add(item);
    this.answered = true;
  }

  settle() {
    if (this.answered && !this.open.size) this.settled?.();
  }

  /** @param {any} error */
  failed(error) {
    if (error.event_id !== LAST_COMMIT) {
      this.hears.broken(new ApiFailure({ status: 400, ...error }));
      return;
    }
    // Nothing was said since the last turn.
    this.answered = true;
    this.settle();
  }

  lost() {
    this.settled?.();
    if (!this.ended) this.hears.broken(new ApiFailure({ status: 0, message: '', code: 'cut' }));
  }
}
