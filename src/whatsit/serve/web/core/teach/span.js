/**
 * Fewer numbers a picture, where there are fewer pictures than numbers: their places along
 * directions at right angles that span them. A layer that is held back lies in that span, so that
 * nothing is lost, and a fit is many times faster.
 */

import { add, product } from "./vectors.js";

const WORTH = 4; // times as many values as pictures: else the directions cost more than they save
const LEAST_REST = 1e-5; // of a picture's length: less is rounding
const LOST = 0.5; // of a length, that may be taken away at once

/**
 * @typedef {{points: Float64Array, width: number, whole: number,
 *   along: (vectors: Float32Array) => Float64Array,
 *   back: (rows: Float64Array) => Float64Array}} Span
 *   points (N, R); `width` is R, `whole` D; `along` (M, D) → (M, R); `back` (C, R) → (C, D)
 */

/**
 * The span of vectors (N, D).
 * @param {Float32Array} vectors
 * @param {number} width
 * @returns {Span}
 */
export function spanOf(vectors, width) {
  const same = (/** @type {Float32Array | Float64Array} */ rows) => Float64Array.from(rows);
  if (WORTH * (vectors.length / width) > width) {
    return { points: same(vectors), width, whole: width, along: same, back: same };
  }
  const directions = basis(vectors, width);
  const count = directions.length / width;
  const along = (/** @type {Float32Array} */ rows) => {
    const found = new Float64Array((rows.length / width) * count);
    for (let i = 0, at = 0; at < rows.length; at += width) {
      for (let from = 0; from < directions.length; from += width, i++) {
        found[i] = product(directions, from, rows, at, width);
      }
    }
    return found;
  };
  const back = (/** @type {Float64Array} */ rows) => {
    const found = new Float64Array((rows.length / count) * width);
    for (let i = 0, start = 0; i < rows.length; start += width) {
      for (let from = 0; from < directions.length; from += width, i++) {
        add(found, start, rows[i], directions, from, width);
      }
    }
    return found;
  };
  return { points: along(vectors), width: count, whole: width, along, back };
}

/**
 * Directions of length 1 at right angles (R, D), by the method of Gram and Schmidt.
 * @param {Float32Array} vectors
 * @param {number} width
 * @returns {Float64Array}
 */
function basis(vectors, width) {
  const found = new Float64Array(vectors.length);
  let end = 0;
  for (let at = 0; at < vectors.length; at += width) {
    const rest = Float64Array.from(vectors.subarray(at, at + width));
    const whole = Math.sqrt(product(rest, 0, rest, 0, width));
    let [before, size] = [Infinity, whole];
    // Again where much was taken away: then rounding has left something of the directions.
    while (size < LOST * before && size > LEAST_REST * whole) {
      before = size;
      for (let from = 0; from < end; from += width) {
        add(rest, 0, -product(found, from, rest, 0, width), found, from, width);
      }
      size = Math.sqrt(product(rest, 0, rest, 0, width));
    }
    if (!(size > LEAST_REST * whole)) continue;
    for (let d = 0; d < width; d++) found[end + d] = rest[d] / size;
    end += width;
  }
  // Of pictures that are all nothing any direction will do.
  return end ? found.slice(0, end) : Float64Array.from({ length: width }, (_, d) => (d ? 0 : 1));
}
