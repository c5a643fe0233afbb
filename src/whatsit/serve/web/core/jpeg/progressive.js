/** The coefficients of a block as progressive JPEG adds to them scan by scan: ITU T.81, G.2. */

import { ZIGZAG } from "./segments.js";

/** @typedef {import("./bits.js").Bits} Bits */
/** @typedef {import("./planes.js").Plane} Plane */
/** @typedef {import("./segments.js").Scan} Scan */
/** @typedef {(bits: Bits, plane: Plane, blocks: Int16Array, from: number) => void} ReadBlock */

/**
 * What reads the blocks of such a scan; to be called anew after a restart.
 * @param {Scan} scan
 * @returns {ReadBlock}
 */
export function blockReader(scan) {
  if (scan.first > 0) return scan.before > 0 ? refined(scan) : begun(scan);
  return scan.before > 0 ? refinedLevels(scan) : levels(scan);
}

/**
 * @param {Scan} scan
 * @returns {ReadBlock}
 */
function levels({ shift }) {
  return (bits, plane, blocks, from) => {
    const size = bits.symbol(plane.dc);
    if (size > 0) plane.level += bits.signed(size);
    blocks[from] = plane.level << shift;
  };
}

/**
 * @param {Scan} scan
 * @returns {ReadBlock}
 */
function refinedLevels({ shift }) {
  return (bits, plane, blocks, from) => {
    if (bits.take(1) === 1) blocks[from] |= 1 << shift;
  };
}

/**
 * @param {Scan} scan
 * @returns {ReadBlock}
 */
function begun({ first, last, shift }) {
  let empty = 0; // how many blocks follow that have nothing
  return (bits, plane, blocks, from) => {
    if (empty > 0) {
      empty -= 1;
      return;
    }
    for (let k = first; k <= last; k += 1) {
      const symbol = bits.symbol(plane.ac);
      const zeros = symbol >> 4;
      const length = symbol & 15;
      if (length > 0) {
        k += zeros;
        blocks[from + ZIGZAG[k]] = bits.signed(length) << shift;
      } else if (zeros === 15) {
        k += 15;
      } else {
        empty = (1 << zeros) + bits.take(zeros) - 1;
        break;
      }
    }
  };
}

/**
 * @param {Scan} scan
 * @returns {ReadBlock}
 */
function refined({ first, last, shift }) {
  let empty = 0;
  const one = 1 << shift;
  return (bits, plane, blocks, from) => {
    let k = first;
    while (empty === 0 && k <= last) {
      const symbol = bits.symbol(plane.ac);
      let zeros = symbol >> 4;
      let added = 0;
      if ((symbol & 15) > 0) {
        added = bits.take(1) === 1 ? one : -one;
      } else if (zeros < 15) {
        empty = (1 << zeros) + bits.take(zeros);
        break;
      }
      for (; k <= last; k += 1) {
        const at = from + ZIGZAG[k];
        if (blocks[at] !== 0) refine(bits, blocks, at, one);
        else if (zeros === 0) break;
        else zeros -= 1;
      }
      // Past the end only in damaged data; libjpeg writes there too.
      if (added !== 0) blocks[from + ZIGZAG[k]] = added;
      k += 1;
    }
    if (empty === 0) return;
    for (; k <= last; k += 1) {
      const at = from + ZIGZAG[k];
      if (blocks[at] !== 0) refine(bits, blocks, at, one);
    }
    empty -= 1;
  };
}

/**
 * One bit more of a coefficient.
 * @param {Bits} bits
 * @param {Int16Array} blocks
 * @param {number} at
 * @param {number} one
 */
function refine(bits, blocks, at, one) {
  const value = blocks[at];
  if (bits.take(1) === 1 && (value & one) === 0) blocks[at] = value + (value >= 0 ? one : -one);
}
