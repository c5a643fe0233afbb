/** Vectors of `width` numbers in flat matrices, told by the place where each begins. */

/** @typedef {Float32Array | Float64Array} Rows */

const LEAST_LENGTH = 1e-12; // zeros stay

/**
 * The sum of the products of two vectors, one[from…] and other[to…].
 * @param {Rows} one
 * @param {number} from
 * @param {Rows} other
 * @param {number} to
 * @param {number} width
 */
export function product(one, from, other, to, width) {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += one[from + d] * other[to + d];
  return sum;
}

/**
 * target[at…] += factor * values[from…]
 * @param {Rows} target
 * @param {number} at
 * @param {number} factor
 * @param {Rows} values
 * @param {number} from
 * @param {number} width
 */
export function add(target, at, factor, values, from, width) {
  for (let d = 0; d < width; d++) target[at + d] += factor * values[from + d];
}

/**
 * The rows at length 1; zeros stay.
 * @param {Rows} rows
 * @param {number} width
 * @returns {Float64Array}
 */
export function unitRows(rows, width) {
  const found = Float64Array.from(rows);
  for (let at = 0; at < found.length; at += width) {
    const length = Math.max(Math.sqrt(product(found, at, found, at, width)), LEAST_LENGTH);
    for (let d = 0; d < width; d++) found[at + d] /= length;
  }
  return found;
}

/**
 * The mean of all rows.
 * @param {Rows} rows
 * @param {number} width
 * @returns {Float64Array}
 */
export function meanRow(rows, width) {
  const mean = new Float64Array(width);
  const count = rows.length / width;
  for (let i = 0; i < rows.length; i++) mean[i % width] += rows[i] / count;
  return mean;
}
