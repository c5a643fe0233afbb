/** The coefficients of a block as baseline JPEG has them: ITU T.81, F.2. */

import { ZIGZAG } from "./segments.js";

/** @typedef {import("./bits.js").Bits} Bits */
/** @typedef {import("./planes.js").Plane} Plane */

/**
 * Reads one block, of which only what is not 0 is written.
 * @param {Bits} bits
 * @param {Plane} plane
 * @param {Int16Array} blocks
 * @param {number} from
 */
export function readBlock(bits, plane, blocks, from) {
  const { dc, ac } = plane;
  const size = bits.symbol(dc);
  if (size > 0) plane.level += bits.signed(size);
  blocks[from] = plane.level;
  for (let k = 1; k < 64; k += 1) {
    const symbol = bits.symbol(ac);
    const length = symbol & 15;
    if (length > 0) {
      k += symbol >> 4;
      blocks[from + ZIGZAG[k]] = bits.signed(length);
    } else if (symbol === 0xf0) {
      k += 15;
    } else {
      break;
    }
  }
}
