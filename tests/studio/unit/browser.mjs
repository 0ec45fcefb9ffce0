// What the modules of the page need of a browser, for tests in Node: the address, a microphone, a recorder, sound.

/** What tests set and look at. */
export const world = {
  /** @type {Array<(stream: object) => void>} requests for the microphone that wait */
  asked: [],
  /** @type {Array<{readyState: string, stop: () => void, onended?: () => void}>} every track that was given */
  tracks: [],
  /** @type {Array<any>} */
  sockets: [],
  /** @type {Array<any>} */
  recorders: [],
  /** Seconds by which the clock of the sound goes on at each look. */
  pace: 1,
  /** Seconds of sound that are scheduled. */
  scheduled: 0,
};

/** The user lets the page have the microphone. */
export function allow() {
  const track = {
    readyState: 'live',
    stop: () => {
      track.readyState = 'ended';
    },
  };
  world.tracks.push(track);
  world.asked.shift()?.({ getTracks: () => [track] });
}

class Context {
  constructor() {
    this.state = 'running';
    this.now = 0;
    this.audioWorklet = { addModule: async () => undefined };
  }

  get currentTime() {
    this.now += world.pace;
    return this.now;
  }

  createBuffer(_channels, length, rate) {
    return { duration: length / rate, copyToChannel: () => undefined };
  }

  createBufferSource() {
    const source = {
      connect: () => undefined,
      start: () => {
        world.scheduled += source.buffer.duration;
      },
    };
    return source;
  }

  createMediaStreamSource() {
    return { connect: () => undefined };
  }

  async resume() {}

  async close() {
    this.state = 'closed';
  }
}

class Recorder {
  constructor() {
    this.state = 'inactive';
    this.mimeType = 'audio/webm';
    world.recorders.push(this);
  }

  start() {
    this.state = 'recording';
  }

  stop() {
    if (this.state === 'inactive') throw new Error('it has ended');
    this.state = 'inactive';
    queueMicrotask(() => {
      this.ondataavailable({ data: new Blob(['sound']) });
      this.onstop();
    });
  }
}

class Socket {
  static OPEN = 1;

  constructor() {
    this.readyState = 1;
    this.sent = [];
    world.sockets.push(this);
    queueMicrotask(() => this.onopen());
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    queueMicrotask(() => this.onclose());
  }
}

const events = new EventTarget();
const ask = () => new Promise((resolve) => world.asked.push(resolve));
Object.assign(globalThis, {
  window: events,
  document: { baseURI: 'http://studio.test/' },
  location: { hash: '' },
  AudioContext: Context,
  AnalyserNode: class {
    fftSize = 4;
    getFloatTimeDomainData() {}
  },
  AudioWorkletNode: class {
    port = {};
  },
  MediaRecorder: Recorder,
  WebSocket: Socket,
  BroadcastChannel: class {
    postMessage() {}
  },
});
Object.defineProperty(globalThis.navigator, 'mediaDevices', { value: { getUserMedia: ask } });

/** Waits until it holds. @param {() => boolean} holds */
export async function until(holds) {
  const end = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not within 20 s: ${holds}`);
    await new Promise((next) => setTimeout(next, 5));
  }
}
