/** Huffman codes of JPEG: ITU T.81, annexes C and F.2.2.3. */

import { broken } from "./faults.js";

export const LOOK_BITS = 9;
export const LONGEST = 16;

/**
 * `look`: the next 9 bits → length << 8 | symbol, 0 for a longer code. For those, by length: the
 * last code (-1 where there is none), and what to add to a code for the place of its symbol.
 * @typedef {{look: Uint16Array, last: Int32Array, offsets: Int32Array, symbols: Uint8Array,
 *   largest: number}} Table
 */

/**
 * @param {Uint8Array} counts of codes of 1 to 16 bits
 * @param {Uint8Array} symbols in the order of their codes
 * @returns {Table}
 */
export function tableOf(counts, symbols) {
  const look = new Uint16Array(1 << LOOK_BITS);
  const last = new Int32Array(LONGEST + 1).fill(-1);
  const offsets = new Int32Array(LONGEST + 1);
  let code = 0;
  let place = 0;
  for (let length = 1; length <= LONGEST; length += 1) {
    const count = counts[length - 1];
    offsets[length] = place - code;
    if (count > 0) last[length] = code + count - 1;
    if (code + count > 1 << length) throw broken("a code table has too many codes");
    for (let i = 0; i < count && length <= LOOK_BITS; i += 1) {
      const free = LOOK_BITS - length;
      const start = (code + i) << free;
      look.fill((length << 8) | symbols[place + i], start, start + (1 << free));
    }
    code = (code + count) << 1;
    place += count;
  }
  return { look, last, offsets, symbols, largest: symbols.reduce((a, b) => Math.max(a, b), 0) };
}
