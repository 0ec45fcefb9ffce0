// @ts-check
// A take from the microphone. The page measures its length, because a browser's webm file does not state it.

/** @returns {boolean} whether this page may have a microphone */
export const canRecord = () => 'mediaDevices' in navigator && 'MediaRecorder' in window;

export class Take {
  /** @param {MediaStream} stream */
  constructor(stream) {
    this.stream = stream;
    this.recorder = new MediaRecorder(stream);
    this.began = performance.now();
    /** @type {Blob[]} */
    this.pieces = [];
    this.recorder.ondataavailable = (event) => this.pieces.push(event.data);
    this.recorder.start();
  }

  static async begin() {
    return new Take(await navigator.mediaDevices.getUserMedia({ audio: true }));
  }

  get seconds() {
    return (performance.now() - this.began) / 1000;
  }

  /** @returns {Promise<File>} */
  async end() {
    const ended = new Promise((resolve) => (this.recorder.onstop = resolve));
    this.recorder.stop();
    await ended;
    for (const track of this.stream.getTracks()) track.stop();
    const type = this.recorder.mimeType || 'audio/webm';
    return new File(this.pieces, type.includes('mp4') ? 'take.mp4' : 'take.webm', { type });
  }
}
