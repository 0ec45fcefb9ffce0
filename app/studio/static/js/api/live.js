// @ts-check
// A live session: a WebSocket of the public API. The key stays out of its URL: a client secret opens it.
import { ApiFailure, callJson } from './client.js';

const COMPLETED = 'conversation.item.input_audio_transcription.completed';
const FAILED = 'conversation.item.input_audio_transcription.failed';
const DELTA = 'conversation.item.input_audio_transcription.delta';
/** Milliseconds that the last words may take. */
const LAST_MILLISECONDS = 15_000;

/**
 * @typedef {{delta: (item: string, text: string) => void, started: (item: string, at: number) => void,
 *   completed: (item: string, text: string) => void, broken: (failure: ApiFailure) => void}} Hears
 *   `started`: milliseconds of the sound at which somebody begins to speak
 */

export class LiveConnection {
  /** @param {WebSocket} socket @param {Hears} hears */
  constructor(socket, hears) {
    this.socket = socket;
    this.hears = hears;
    /** @type {Set<string>} Items whose text is not complete. */
    this.open = new Set();
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

  /** Returns when everything that was said is complete, or no answer comes. */
  async finish() {
    this.ended = true;
    if (this.open.size && this.socket.readyState === WebSocket.OPEN) {
      this.send({ type: 'input_audio_buffer.commit' });
      await new Promise((resolve) => {
        this.settled = () => resolve(undefined);
        setTimeout(resolve, LAST_MILLISECONDS);
      });
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
    if (event.type === 'input_audio_buffer.speech_started') {
      this.open.add(item);
      this.hears.started(item, event.audio_start_ms);
    } else if (event.type === DELTA) this.hears.delta(item, event.delta);
    else if (event.type === COMPLETED || event.type === FAILED) {
      this.open.delete(item);
      this.hears.completed(item, event.transcript ?? '');
      if (!this.open.size) this.settled?.();
    } else if (event.type === 'error') this.failed(event.error);
  }

  /** @param {any} error */
  failed(error) {
    // A commit that meets silence is refused: nothing is missing then.
    if (error.code === 'input_audio_buffer_commit_empty') this.settled?.();
    else this.hears.broken(new ApiFailure({ status: 400, ...error }));
  }

  lost() {
    this.settled?.();
    if (!this.ended) this.hears.broken(new ApiFailure({ status: 0, message: '', code: 'cut' }));
  }
}
