// @ts-check
// Sound that grows while it comes. All but the newest second or so is a blob: browsers may hold blobs on disk, so that two
// hours of speech do not fill the memory of the page.

const FOLDED_BYTES = 1 << 20;

export class GrowingSound {
  constructor() {
    /** The bytes that have come. */
    this.size = 0;
    /** Whether no more will come. */
    this.whole = false;
    this.kept = new Blob();
    /** @type {Uint8Array<ArrayBuffer>[]} what came after `kept` */
    this.fresh = [];
  }

  /** @param {Uint8Array} data any number of bytes */
  add(data) {
    this.fresh.push(/** @type {Uint8Array<ArrayBuffer>} */ (data));
    this.size += data.length;
    if (this.size - this.kept.size < FOLDED_BYTES) return;
    this.kept = this.blob();
    this.fresh = [];
  }

  /** Everything so far. */
  blob() {
    return new Blob([this.kept, ...this.fresh]);
  }

  /** Throws away what came after the first bytes; more will come. @param {number} size */
  cut(size) {
    this.kept = this.blob().slice(0, size);
    this.fresh = [];
    this.size = this.kept.size;
    this.whole = false;
  }

  /** @param {number} from @param {number} most @returns {Promise<Uint8Array>} whole samples of two bytes; none where there are none yet */
  async read(from, most) {
    const until = Math.min(from + most, this.size);
    const bytes = Math.max(0, until - from) & ~1;
    if (!bytes) return new Uint8Array();
    const part = this.blob().slice(from, from + bytes);
    return new Uint8Array(await part.arrayBuffer());
  }
}
