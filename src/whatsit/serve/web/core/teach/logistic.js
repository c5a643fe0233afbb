/**
 * Multinomial logistic regression in the span of some pictures: `_fitted` of whatsit.train.head.
 */

import { lowest } from "./descent.js";
import { largest, logShares } from "./numbers.js";

/** @typedef {import("./span.js").Span} Span */

// Of the gradient, where a fit stops: for the choice of a strength, and for what is kept.
export const [ROUGH, FINE] = [1e-3, 1e-5];
const MOST_STEPS = 1000;

/**
 * Weights and bias (C, R + 1), where the mean log loss and the weights' size are least.
 * @param {Span} span
 * @param {number[]} truth
 * @param {number} strength
 * @param {number} stop
 * @param {Float64Array} start where the search begins
 */
export function fitted({ points, width, whole, back }, truth, strength, stop, start) {
  const pictures = truth.length;
  const classes = start.length / (width + 1);
  const heldBack = 1 / (strength * pictures);
  const loss = (/** @type {Float64Array} */ rows) => {
    const slope = new Float64Array(rows.length);
    let value = 0;
    for (let c = 0, at = 0; c < classes; c++, at++) {
      for (const end = at + width; at < end; at++) {
        value += (heldBack / 2) * rows[at] * rows[at];
        slope[at] = heldBack * rows[at];
      }
    }
    const logs = logShares(logitsOf(points, width, rows), classes);
    for (let i = 0; i < pictures; i++) {
      value -= logs[i * classes + truth[i]] / pictures;
      for (let c = 0; c < classes; c++) {
        const rest = (Math.exp(logs[i * classes + c]) - (c === truth[i] ? 1 : 0)) / pictures;
        const [from, to] = [i * width, c * (width + 1)];
        for (let d = 0; d < width; d++) slope[to + d] += rest * points[from + d];
        slope[to + width] += rest;
      }
    }
    return { value, slope };
  };
  // Along the directions of a span a gradient has other parts: it is to stop where others do.
  const steepest = (/** @type {Float64Array} */ slope) => {
    const { weights, bias } = parted(slope, width);
    const length = Math.sqrt(weights.reduce((sum, part) => sum + part * part, 0));
    const certain = length > stop * Math.sqrt(classes * whole) || largest(bias) > stop;
    return certain ? Infinity : Math.max(largest(back(weights)), largest(bias));
  };
  return lowest(loss, start, { stop, mostSteps: MOST_STEPS, steepest });
}

/**
 * @param {Float64Array} points (N, R)
 * @param {number} width R
 * @param {Float64Array} rows (C, R + 1)
 * @returns {Float64Array} (N, C)
 */
export function logitsOf(points, width, rows) {
  const classes = rows.length / (width + 1);
  const logits = new Float64Array((points.length / width) * classes);
  for (let i = 0, from = 0; from < points.length; from += width) {
    for (let c = 0; c < classes; c++, i++) {
      const at = c * (width + 1);
      let sum = rows[at + width];
      for (let d = 0; d < width; d++) sum += points[from + d] * rows[at + d];
      logits[i] = sum;
    }
  }
  return logits;
}

/**
 * @param {Float64Array} rows (C, R + 1)
 * @param {number} width R
 */
export function parted(rows, width) {
  const isBias = (/** @type {number} */ i) => i % (width + 1) === width;
  return {
    weights: rows.filter((_, i) => !isBias(i)),
    bias: rows.filter((_, i) => isBias(i)),
  };
}
