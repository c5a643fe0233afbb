/** A small map, smoothly enlarged: `sampled` of whatsit.explain.evidence, with Pillow's bicubic. */

/** @typedef {import("./evidence.js").Cells} Cells */
/** @typedef {{first: number, weights: number[]}} Tap which cells, and how much of each */

const SUPPORT = 2; // cells that the cubic reaches
const SHARPNESS = -0.5;

/**
 * `part` (fractions: left, top, right, bottom) of a map, row by row. Its cells lie side by side
 * over the whole, and go on beyond its borders as they are there.
 * @param {Cells} cells
 * @param {readonly number[]} part
 * @param {number} height
 * @param {number} width
 * @returns {Float32Array}
 */
export function enlarged({ values, height: rows, width: columns }, part, height, width) {
  const [left, top, right, bottom] = part;
  const across = tapsOf(left * columns, right * columns, width);
  const down = tapsOf(top * rows, bottom * rows, height);
  const wide = new Float32Array(rows * width);
  for (let y = 0; y < rows; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = (/** @type {number} */ column) => values[y * columns + within(column, columns)];
      wide[y * width + x] = summed(across[x], at);
    }
  }
  const found = new Float32Array(height * width);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = (/** @type {number} */ row) => wide[within(row, rows) * width + x];
      found[y * width + x] = summed(down[y], at);
    }
  }
  return found;
}

/**
 * For each of `count` places between `start` and `end`, in cells, what it is made of.
 * @param {number} start
 * @param {number} end
 * @param {number} count
 * @returns {Tap[]}
 */
function tapsOf(start, end, count) {
  const scale = (end - start) / count;
  const stretch = Math.max(scale, 1); // where it gets smaller, all cells have their part
  return Array.from({ length: count }, (_, i) => {
    const centre = start + (i + 0.5) * scale;
    const first = Math.floor(centre - SUPPORT * stretch + 0.5);
    const last = Math.floor(centre + SUPPORT * stretch + 0.5);
    const shares = Array.from({ length: last - first }, (_, k) =>
      cubic((first + k - centre + 0.5) / stretch),
    );
    const sum = shares.reduce((total, share) => total + share, 0);
    return { first, weights: shares.map((share) => share / sum) };
  });
}

/**
 * @param {Tap} tap
 * @param {(place: number) => number} at
 */
function summed({ first, weights }, at) {
  let sum = 0;
  for (let k = 0; k < weights.length; k += 1) sum += weights[k] * at(first + k);
  return sum;
}

/**
 * @param {number} place
 * @param {number} count
 */
function within(place, count) {
  return Math.min(Math.max(place, 0), count - 1);
}

/** Keys' cubic. @param {number} x */
function cubic(x) {
  const far = Math.abs(x);
  if (far < 1) return ((SHARPNESS + 2) * far - (SHARPNESS + 3)) * far * far + 1;
  if (far < 2) return (((far - 5) * far + 8) * far - 4) * SHARPNESS;
  return 0;
}
