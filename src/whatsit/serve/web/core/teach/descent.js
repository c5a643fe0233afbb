/**
 * The lowest point of a smooth convex function: L-BFGS, with steps halved until they go down.
 * `whatsit.train.descent`.
 *
 * After J. Nocedal, Mathematics of Computation 35 (1980), 773-782.
 */

import { largest } from "./numbers.js";

/** @typedef {{value: number, slope: Float64Array}} Height of a point, and its gradient */
/** @typedef {(point: Float64Array) => Height} Loss */

const REMEMBERED = 10; // steps, from which the curvature is known
const MOST_HALVINGS = 30;
const LEAST_GAIN = 1e-4; // of a step, as a share of what the slope promises

/**
 * Where `loss` is least, as nearly as that no part of its gradient is above `stop`.
 *
 * Or as near as `mostSteps`, or the precision of the loss, let it come.
 * @param {Loss} loss
 * @param {Float64Array} start
 * @param {{stop: number, mostSteps: number, steepest?: (slope: Float64Array) => number}} until
 *   `steepest` is the largest part of a gradient
 * @returns {Float64Array}
 */
export function lowest(loss, start, { stop, mostSteps, steepest = largest }) {
  let [point, here] = [start, loss(start)];
  /** @type {{step: Float64Array, change: Float64Array}[]} */
  const past = [];
  for (let i = 0; i < mostSteps && steepest(here.slope) > stop; i++) {
    const next = lower(loss, point, here, downhill(here.slope, past));
    if (next === null) break;
    const step = next.point.map((value, k) => value - point[k]);
    const before = here.slope;
    const change = next.height.slope.map((value, k) => value - before[k]);
    // Always, but for rounding.
    if (dot(step, change) > 0) past.push({ step, change });
    if (past.length > REMEMBERED) past.shift();
    [point, here] = [next.point, next.height];
  }
  return point;
}

/**
 * A point in a direction that is lower by enough; null where there is none.
 * @param {Loss} loss
 * @param {Float64Array} point
 * @param {Height} here
 * @param {Float64Array} direction
 */
function lower(loss, point, here, direction) {
  const promised = -dot(direction, here.slope);
  let length = 1;
  for (let i = 0; i < MOST_HALVINGS; i++, length /= 2) {
    const there = point.map((value, k) => value + length * direction[k]);
    const height = loss(there);
    if (height.value <= here.value - LEAST_GAIN * length * promised) {
      return { point: there, height };
    }
  }
  return null;
}

/**
 * The gradient, downwards, by the curvature that was seen in the last steps.
 * @param {Float64Array} slope
 * @param {{step: Float64Array, change: Float64Array}[]} past
 */
function downhill(slope, past) {
  const last = past[past.length - 1];
  if (last === undefined) {
    const size = Math.sqrt(dot(slope, slope));
    return slope.map((value) => -value / size);
  }
  const rest = slope.map((value) => -value);
  const taken = [...past].reverse().map(({ step, change }) => {
    const share = dot(step, rest) / dot(step, change);
    add(rest, -share, change);
    return share;
  });
  const bend = dot(last.step, last.change) / dot(last.change, last.change);
  const direction = rest.map((value) => value * bend);
  past.forEach(({ step, change }, i) => {
    const back = dot(change, direction) / dot(step, change);
    add(direction, taken[past.length - 1 - i] - back, step);
  });
  return direction;
}

/**
 * @param {Float64Array} one
 * @param {Float64Array} other
 */
function dot(one, other) {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += one[i] * other[i];
  return sum;
}

/**
 * target += factor * values
 * @param {Float64Array} target
 * @param {number} factor
 * @param {Float64Array} values
 */
function add(target, factor, values) {
  for (let i = 0; i < target.length; i++) target[i] += factor * values[i];
}
