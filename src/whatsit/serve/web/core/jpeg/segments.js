/** The segments of a JPEG that describe its pixels: ITU T.81, annex B. */

import { Bits } from "./bits.js";
import { LeftToBrowser, broken } from "./faults.js";
import { tableOf } from "./huffman.js";

/** @typedef {import("./huffman.js").Table} Table */
/**
 * Of one colour: how often it is sampled across and down in a unit, and its quantisation table.
 * @typedef {{id: number, h: number, v: number, quantiser: number}} Channel
 */
/** @typedef {{width: number, height: number, progressive: boolean, channels: Channel[]}} Frame */
/**
 * Each part: the channel's index and its two code tables. Of its coefficients the scan has those
 * from `first` to `last`, shifted by `shift` bits; `before` is the shift of the scan before, 0 for
 * none.
 * @typedef {{parts: {channel: number, dc: number, ac: number}[], first: number, last: number,
 *   before: number, shift: number}} Scan
 */

const LARGEST_SIDE = 65500; // libjpeg's own limit
const STARTS = { baseline: 0xc0, extended: 0xc1, progressive: 0xc2 };
const BARE = new Set([0x01, 0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7]);
// The place in a block, row by row, of each coefficient; further ones, of damaged data, are last.
export const ZIGZAG = new Uint8Array(80).fill(63);
for (let sum = 0, i = 0; sum < 15; sum += 1) {
  for (let k = Math.max(0, sum - 7); k <= Math.min(7, sum); k += 1, i += 1) {
    ZIGZAG[i] = sum % 2 === 1 ? k * 8 + sum - k : (sum - k) * 8 + k;
  }
}

export class Segments {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bits = new Bits(bytes);
    this.bits.at = 2;
    /** @type {Frame | null} */
    this.frame = null;
    /** @type {(Uint16Array | undefined)[]} */
    this.quantisers = [];
    /** @type {(Table | undefined)[]} */
    this.dc = [];
    /** @type {(Table | undefined)[]} */
    this.ac = [];
    this.interval = 0; // how many units stand between restart markers, 0 for all
    this.jfif = false;
    this.adobe = -1; // what Adobe's marker says of the colours
  }

  /**
   * Reads on to the next scan; null at the end of the picture.
   * @returns {Scan | null}
   */
  next() {
    const { bits } = this;
    for (;;) {
      const marker = bits.nextMarker();
      bits.marker = 0;
      if (marker === 0xd9) return null;
      if (BARE.has(marker)) continue;
      const [high, low] = [bits.bytes[bits.at], bits.bytes[bits.at + 1]];
      const end = bits.at + ((high << 8) | low);
      if (!(end <= bits.bytes.length)) throw broken("it ends in its header");
      if (end < bits.at + 2) throw broken("a segment has no length");
      const segment = bits.bytes.subarray(bits.at + 2, end);
      bits.at = end;
      if (marker === 0xda) return this.#scan(segment);
      this.#read(marker, segment);
    }
  }

  /**
   * @param {number} marker
   * @param {Uint8Array} segment
   */
  #read(marker, segment) {
    if (marker === 0xc4) this.#codes(segment);
    else if (marker === 0xdb) this.#quantiser(segment);
    else if (marker === 0xdd) this.#interval(segment);
    else if (marker === 0xe0) this.jfif ||= isNamed(segment, "JFIF\0", 14);
    else if (marker === 0xee && isNamed(segment, "Adobe", 12)) this.adobe = segment[11];
    else if (marker >= 0xc0 && marker <= 0xcf) this.#start(marker, segment);
    else if (marker < 0xe0 && marker !== 0xdc) throw broken("it has an unknown segment");
    else if (marker > 0xef && marker !== 0xfe) throw broken("it has an unknown segment");
  }

  /**
   * @param {number} marker
   * @param {Uint8Array} segment
   */
  #start(marker, segment) {
    if (this.frame !== null) throw broken("it begins twice");
    if (!Object.values(STARTS).includes(marker) || segment[0] !== 8) throw new LeftToBrowser();
    const [height, width] = [uint16(segment, 1), uint16(segment, 3)];
    const count = segment[5];
    if (segment.length !== 6 + count * 3) throw broken("its header has a wrong length");
    if (!(width > 0 && height > 0 && Math.max(width, height) <= LARGEST_SIDE)) {
      throw broken("it has no size");
    }
    if (count !== 1 && count !== 3) throw new LeftToBrowser();
    const channels = Array.from({ length: count }, (_, i) => {
      const [id, sampling, quantiser] = segment.subarray(6 + i * 3, 9 + i * 3);
      return { id, h: sampling >> 4, v: sampling & 15, quantiser };
    });
    if (channels.some(({ h, v }) => h < 1 || h > 4 || v < 1 || v > 4)) {
      throw broken("its channels have no size");
    }
    const progressive = marker === STARTS.progressive;
    this.frame = { width, height, progressive, channels };
  }

  /** @param {Uint8Array} segment */
  #codes(segment) {
    let at = 0;
    while (at + 17 <= segment.length) {
      const name = segment[at];
      const counts = segment.subarray(at + 1, at + 17);
      const count = counts.reduce((sum, part) => sum + part, 0);
      at += 17;
      if (count > 256 || at + count > segment.length || (name & 0xef) > 3) {
        throw broken("its code tables are damaged");
      }
      const symbols = new Uint8Array(256);
      symbols.set(segment.subarray(at, at + count));
      at += count;
      const tables = name & 16 ? this.ac : this.dc;
      tables[name & 3] = tableOf(counts, symbols);
    }
    if (at !== segment.length) throw broken("its code tables are damaged");
  }

  /** @param {Uint8Array} segment */
  #quantiser(segment) {
    let at = 0;
    while (at < segment.length) {
      const [precision, name] = [segment[at] >> 4, segment[at] & 15];
      const step = precision > 0 ? 2 : 1;
      at += 1;
      if (name > 3 || at + 64 * step > segment.length) {
        throw broken("its quantisation tables are damaged");
      }
      const table = new Uint16Array(64);
      for (let i = 0; i < 64; i += 1, at += step) {
        table[ZIGZAG[i]] = step === 2 ? uint16(segment, at) : segment[at];
      }
      this.quantisers[name] = table;
    }
  }

  /** @param {Uint8Array} segment */
  #interval(segment) {
    if (segment.length !== 2) throw broken("its restart interval is damaged");
    this.interval = uint16(segment, 0);
  }

  /**
   * @param {Uint8Array} segment
   * @returns {Scan}
   */
  #scan(segment) {
    if (this.frame === null) throw broken("its pixels come before its header");
    const count = segment[0];
    if (segment.length !== count * 2 + 4 || count < 1 || count > 4) {
      throw broken("a scan has a wrong length");
    }
    /** @type {Scan["parts"]} */
    const parts = [];
    for (let i = 0; i < count; i += 1) {
      const [id, tables] = segment.subarray(1 + i * 2, 3 + i * 2);
      const channel = this.frame.channels.findIndex((known) => known.id === id);
      if (channel < 0 || parts.some((part) => part.channel === channel)) {
        throw broken("a scan is of an unknown channel");
      }
      parts.push({ channel, dc: tables >> 4, ac: tables & 15 });
    }
    const [first, last, shifts] = segment.subarray(1 + count * 2);
    this.bits.restarts = 0;
    this.bits.align();
    return { parts, first, last, before: shifts >> 4, shift: shifts & 15 };
  }
}

/**
 * @param {Uint8Array} segment
 * @param {string} name
 * @param {number} least how long it must be
 * @returns {boolean}
 */
function isNamed(segment, name, least) {
  const start = String.fromCharCode(...segment.subarray(0, name.length));
  return segment.length >= least && start === name;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 * @returns {number}
 */
function uint16(bytes, at) {
  return (bytes[at] << 8) | bytes[at + 1];
}
