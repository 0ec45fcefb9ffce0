// What a browser gives the state of the page: storage, uploads, other tabs. Import it before any module of the page.

/** What IndexedDB has. @type {Map<string, any>} */
export const stored = new Map();
/** The uploads so far. @type {Upload[]} */
export const uploads = [];
/** What the page told other tabs. @type {any[]} */
export const messages = [];

const request = (result) => {
  const asked = { result };
  queueMicrotask(() => asked.onsuccess());
  return asked;
};
const store = {
  get: (name) => request(structuredClone(stored.get(name))),
  put: (value, name) => stored.set(name, structuredClone(value)),
  delete: (name) => stored.delete(name),
  getAllKeys: () => request([...stored.keys()]),
  get transaction() {
    return request();
  },
};

class Upload {
  upload = {};
  status = 0;
  responseText = '';
  aborted = false;
  open() {}
  setRequestHeader() {}
  getResponseHeader() {
    return null;
  }
  send() {
    uploads.push(this);
  }
  abort() {
    this.aborted = true;
  }
  /** The server sends these events. */
  tell(...events) {
    this.say(events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join(''));
  }
  say(text) {
    this.status = 200;
    this.responseText += text;
    this.onprogress();
  }
  end() {
    this.status = 200;
    this.responseText += 'data: [DONE]\n\n';
    this.onload();
  }
}

class Channel {
  static page;
  constructor() {
    Channel.page = this;
  }
  postMessage(data) {
    messages.push(structuredClone(data));
  }
}

const memory = () => {
  const all = new Map();
  return {
    getItem: (name) => all.get(name) ?? null,
    setItem: (name, value) => all.set(name, value),
    removeItem: (name) => all.delete(name),
  };
};

/** The locks that tabs hold, and who waits for each. @type {Map<string, Array<() => void>>} */
export const locks = new Map();
const lockManager = {
  async request(name, ...rest) {
    if (locks.has(name)) await new Promise((next) => locks.get(name).push(next));
    locks.set(name, []);
    await rest.at(-1)();
    crashed(name);
  },
};
const crashed = (name) => {
  const waiting = locks.get(name) ?? [];
  locks.delete(name);
  for (const next of waiting) next();
};
/** A tab is gone without a word. */
export const crash = (tab) => crashed(`antiphon-tab:${tab}`);

const about = { limits: { upload_bytes: 1e9 }, features: {} };
const given = {
  BroadcastChannel: Channel,
  XMLHttpRequest: Upload,
  document: new EventTarget(),
  fetch: async () => new Response(JSON.stringify(about)),
  indexedDB: { open: () => request({ transaction: () => ({ objectStore: () => store }) }) },
  localStorage: memory(),
  location: { hash: '' },
  navigator: { locks: lockManager, languages: ['en'] },
  sessionStorage: memory(),
  window: new EventTarget(),
};
for (const [name, value] of Object.entries(given)) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

/** Another tab says this. */
export const hear = (data) => Channel.page.onmessage({ data });

export const turn = () => new Promise((next) => setImmediate(next));

/** Waits until a condition holds, also where a test has its own timers. */
export async function until(condition) {
  const end = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within 20 s: ${condition}`);
    await turn();
  }
}
