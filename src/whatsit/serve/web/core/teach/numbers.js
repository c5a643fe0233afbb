/** Small sums over rows of numbers, as numpy has them. Matrices are flat, row by row. */

/** @typedef {Float32Array | Float64Array | number[]} Numbers */

/**
 * To the nearest whole number, halves to the even one.
 * @param {number} value
 * @returns {number}
 */
export function rint(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/**
 * The place of the largest; of equal ones the first.
 * @param {Numbers} values
 */
export function argmax(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/**
 * The place of the smallest; of equal ones the first.
 * @param {Numbers} values
 */
export function argmin(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] < values[best]) best = i;
  return best;
}

/**
 * The size of the number that is farthest from 0.
 * @param {Numbers} values
 */
export function largest(values) {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

/**
 * The logarithm of the softmax of each row of `logits` (N, C).
 * @param {Float32Array | Float64Array} logits
 * @param {number} classes
 * @returns {Float64Array}
 */
export function logShares(logits, classes) {
  const logs = Float64Array.from(logits);
  for (let at = 0; at < logs.length; at += classes) {
    const row = logs.subarray(at, at + classes);
    const most = row[argmax(row)];
    let sum = 0;
    for (let i = 0; i < classes; i++) sum += Math.exp((row[i] -= most));
    const log = Math.log(sum);
    for (let i = 0; i < classes; i++) row[i] -= log;
  }
  return logs;
}

/**
 * The rows of `matrix` (N, D) at these places, in their order.
 * @template {Float32Array | Float64Array} T
 * @param {T} matrix
 * @param {number} width
 * @param {ArrayLike<number>} rows
 * @returns {T}
 */
export function rowsOf(matrix, width, rows) {
  const size = rows.length * width;
  const made = matrix instanceof Float32Array ? new Float32Array(size) : new Float64Array(size);
  const found = /** @type {T} */ (made);
  for (let i = 0; i < rows.length; i++) {
    found.set(matrix.subarray(rows[i] * width, (rows[i] + 1) * width), i * width);
  }
  return found;
}

/**
 * What a layer gives for embeddings: vectors (N, D) @ weights (C, D).T + bias (C,), as float32.
 * @param {Float32Array} vectors
 * @param {Float32Array} weights
 * @param {Float32Array} bias
 * @returns {Float32Array}
 */
export function layerLogits(vectors, weights, bias) {
  const [classes, width] = [bias.length, weights.length / bias.length];
  const logits = new Float32Array((vectors.length / width) * classes);
  for (let i = 0, at = 0; at < vectors.length; at += width) {
    for (let c = 0; c < classes; c++, i++) {
      let sum = 0;
      for (let d = 0; d < width; d++) sum += vectors[at + d] * weights[c * width + d];
      logits[i] = sum + bias[c];
    }
  }
  return logits;
}

/**
 * The bits of the halves (float16) nearest to some float32 numbers.
 * @param {Float32Array} values
 * @returns {Uint16Array}
 */
export function halves(values) {
  return Uint16Array.from(values, half);
}

/** @param {number} value */
function half(value) {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | rint(size * 2 ** 24);
  const power = Math.min(15, Math.floor(Math.log2(size)));
  const exponent = size < 2 ** power ? power - 1 : size >= 2 ** (power + 1) ? power + 1 : power;
  // A mantissa that is rounded up to 2 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + rint((size / 2 ** exponent - 1) * 1024));
}
