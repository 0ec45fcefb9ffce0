// @ts-check
// WAV files of 16-bit mono samples. Pure.

/** @param {Blob} sound little-endian samples @param {number} rate hertz @returns {Blob} */
export function wavFile(sound, rate) {
  const bytes = sound.size & ~1; // a connection may break inside a sample
  const header = new DataView(new ArrayBuffer(44));
  const ascii = (/** @type {number} */ at, /** @type {string} */ text) => {
    for (const [index, letter] of [...text].entries()) header.setUint8(at + index, letter.charCodeAt(0));
  };
  ascii(0, 'RIFF');
  header.setUint32(4, 36 + bytes, true);
  ascii(8, 'WAVEfmt ');
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, rate, true);
  header.setUint32(28, rate * 2, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  ascii(36, 'data');
  header.setUint32(40, bytes, true);
  return new Blob([header, sound.slice(0, bytes)], { type: 'audio/wav' });
}

/** @param {Uint8Array} data whole 16-bit samples, little endian @returns {Float32Array<ArrayBuffer>} -1..1 */
export function samplesOf(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const samples = new Float32Array(data.byteLength >> 1);
  for (let index = 0; index < samples.length; index++) samples[index] = view.getInt16(index * 2, true) / 32_768;
  return samples;
}
