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
    // It also ends by itself, when the microphone is unplugged or taken away.
    this.ended = new Promise((resolve) => {
      this.recorder.onstop = resolve;
    });
    this.recorder.start();
    this.context = new AudioContext();
    this.analyser = new AnalyserNode(this.context, { fftSize: 1024 });
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
  }

  static async begin() {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    try {
      return new Take(stream);
    } catch (wrong) {
      for (const track of stream.getTracks()) track.stop();
      throw wrong;
    }
  }

  /** Whether nothing is recorded any more. */
  get isOver() {
    return this.recorder.state === 'inactive';
  }

  get seconds() {
    return (performance.now() - this.began) / 1000;
  }

  /** How loud it is now, 0..1: the decibels from -60 to 0 of the loudest sample. */
  get level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const loudest = this.samples.reduce((top, value) => Math.max(top, Math.abs(value)), 1e-3);
    return Math.min(1, Math.max(0, 1 + Math.log10(loudest) / 3));
  }

  /** @param {string} name without its ending @returns {Promise<File>} */
  async end(name) {
    if (!this.isOver) this.recorder.stop();
    await this.ended;
    this.close();
    const type = this.recorder.mimeType || 'audio/webm';
    return new File(this.pieces, `${name}.${type.includes('mp4') ? 'mp4' : 'webm'}`, { type });
  }

  /** Gives the microphone back. */
  close() {
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context.state !== 'closed') void this.context.close();
  }
}
