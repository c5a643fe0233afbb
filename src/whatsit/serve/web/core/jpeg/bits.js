/** Reads the entropy-coded data of a JPEG bit by bit, up to the next marker. */

import { cutShort } from "./faults.js";
import { LONGEST, LOOK_BITS } from "./huffman.js";

/** @typedef {import("./huffman.js").Table} Table */

const LOOK_MASK = (1 << LOOK_BITS) - 1;
const RST0 = 0xd0;
const RST7 = 0xd7;
const FIRST_VALID = 0xc0;

export class Bits {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.marker = 0; // the one that was met and not yet dealt with
    this.held = 0; // its lowest `count` bits are not yet used
    this.count = 0;
    this.padding = 0; // how many zero bits were added after the last real one
    this.restarts = 0;
  }

  /** Whether more bits were used than there were before a marker. */
  get isDry() {
    return this.count < this.padding;
  }

  /** At least 25 bits, zeros where a marker stops the data. */
  fill() {
    const { bytes } = this;
    let { held, count } = this;
    while (count <= 24) {
      let byte = 0;
      if (this.marker === 0) {
        if (this.at >= bytes.length) throw cutShort();
        byte = bytes[this.at];
        this.at += 1;
        if (byte === 0xff && !this.#stuffed()) byte = 0;
      }
      if (this.marker !== 0) this.padding += 8;
      held = (held << 8) | byte;
      count += 8;
    }
    this.held = held;
    this.count = count;
  }

  /** Whether 0xff, just read, stands for itself; else it begins a marker. */
  #stuffed() {
    const { bytes } = this;
    while (bytes[this.at] === 0xff) this.at += 1;
    if (this.at >= bytes.length) throw cutShort();
    this.marker = bytes[this.at];
    this.at += 1;
    return this.marker === 0;
  }

  /**
   * @param {Table} table
   * @returns {number}
   */
  symbol(table) {
    if (this.count <= LONGEST) this.fill();
    const entry = table.look[(this.held >> (this.count - LOOK_BITS)) & LOOK_MASK];
    if (entry === 0) return this.#longSymbol(table);
    this.count -= entry >> 8;
    return entry & 255;
  }

  /**
   * Of a code too long for the first look; 0, as libjpeg has it, for what is no code.
   * @param {Table} table
   * @returns {number}
   */
  #longSymbol({ last, offsets, symbols }) {
    for (let length = LOOK_BITS + 1; length <= LONGEST; length += 1) {
      const code = (this.held >> (this.count - length)) & ((1 << length) - 1);
      if (code > last[length]) continue;
      this.count -= length;
      return symbols[code + offsets[length]];
    }
    this.count -= LONGEST + 1;
    return 0;
  }

  /**
   * The next bits, at most 16, as a number.
   * @param {number} count
   * @returns {number}
   */
  take(count) {
    if (this.count < count) this.fill();
    this.count -= count;
    return (this.held >> this.count) & ((1 << count) - 1);
  }

  /**
   * A number of that many bits, at least 1, of which the first tells the sign.
   * @param {number} count
   * @returns {number}
   */
  signed(count) {
    const value = this.take(count);
    return value < 1 << (count - 1) ? value - (1 << count) + 1 : value;
  }

  /** Drops what is left of a byte, at the end of a scan or an interval. */
  align() {
    this.held = 0;
    this.count = 0;
    this.padding = 0;
  }

  /**
   * The next marker, whatever lies before it.
   * @returns {number}
   */
  nextMarker() {
    const { bytes } = this;
    while (this.marker === 0) {
      while (this.at < bytes.length && bytes[this.at] !== 0xff) this.at += 1;
      while (bytes[this.at] === 0xff) this.at += 1;
      if (this.at >= bytes.length) throw cutShort();
      this.marker = bytes[this.at];
      this.at += 1;
    }
    return this.marker;
  }

  /** Goes on after a restart marker, or where libjpeg would once that is damaged. */
  restart() {
    this.align();
    const wanted = this.restarts;
    this.restarts = (wanted + 1) & 7;
    for (;;) {
      const marker = this.nextMarker();
      const ahead = (marker - RST0 - wanted) & 7;
      const isRestart = marker >= RST0 && marker <= RST7;
      if (marker >= FIRST_VALID && (!isRestart || ahead === 1 || ahead === 2)) return; // kept
      this.marker = 0;
      if (isRestart && ahead !== 6 && ahead !== 7) return;
    }
  }
}
