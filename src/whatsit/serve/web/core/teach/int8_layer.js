/**
 * A last layer in 8 bits: weights with one scale a class, and steps for the logits.
 * `whatsit.graph.int8_layer`.
 *
 * The arithmetic is that of TensorFlow Lite's 8-bit quantisation specification.
 */

import { WhatsitError } from "../errors.js";
import { general } from "../repr.js";
import { argmax, argmin, largest, logShares, rint } from "./numbers.js";
import { single } from "./write.js";

/** @typedef {import("./read.js").Quantisation} Quantisation */
/**
 * Weights (C, D), one scale a class, biases in steps of input times weights, and how the logits are
 * stored.
 * @typedef {{weights: Int8Array, scales: Float32Array, bias: Int32Array, output: Quantisation}}
 *   Int8Layer
 */

const STEPS = 255;
const HEADROOM = 1.1; // the pictures to come are not quite those that were seen
const SURE_NATS = 4; // a logit so far below the best one means a probability of at most 0.02
const CANDIDATES = 33;
const MOST_ROWS = 512; // of logits: enough to choose a range by
const CLEAR = 0.1; // a lead in probability that must not be lost,
const LOST = 0.01; // but for this share of the pictures
const LARGEST_BIAS = 2 ** 30; // about half of what int32 holds: the products are added to it
// A product of one step by one step, in steps of the result. Kernels refuse 256 and more; below
// 2^-24 a whole row adds up to nothing.
const LARGEST_RATIO = 256;
const LEAST_RATIO = 2 ** -24;
const LEAST_FLOAT32 = 2 ** -126;

/**
 * The layer for an embedding that is stored as `source` says.
 *
 * `logits` (N, C) are what the layer gives for pictures like those to come. Where all of them lie
 * on one side of 0, every class is moved alike, which no softmax sees. Throws wrong-usage for
 * numbers that 8 bits cannot hold beside each other.
 * @param {Float32Array} weights (C, D)
 * @param {Float32Array} bias (C,)
 * @param {Quantisation} source
 * @param {Float32Array} logits (N, C)
 * @returns {Int8Layer}
 */
export function int8Layer(weights, bias, source, logits) {
  const classes = bias.length;
  const [low, high] = range(logits);
  const shift = low <= 0 && high >= 0 ? 0 : (low + high) / 2;
  const moved = Float64Array.from(logits, (logit) => logit - shift);
  const output = outputOf(moved, classes);
  check(moved, classes, output);
  const step = source.scales[0];
  const real = Float64Array.from(bias, (value) => value - shift);
  const scales = scalesOf(weights, real, step, output.scales[0]);
  const width = weights.length / classes;
  const stored = Int8Array.from(weights, (weight, i) =>
    clip(rint(weight / scales[Math.floor(i / width)]), -127, 127),
  );
  const biases = Int32Array.from(real, (value, i) => rint(value / (step * scales[i])));
  return { weights: stored, scales, bias: biases, output };
}

/**
 * One scale a class: 127 is its largest weight, unless its bias would not fit then.
 * @param {Float32Array} weights
 * @param {Float64Array} bias
 * @param {number} step
 * @param {number} unit
 */
function scalesOf(weights, bias, step, unit) {
  const width = weights.length / bias.length;
  const scales = Float64Array.from(bias, (value, i) => {
    const forWeights = largest(weights.subarray(i * width, (i + 1) * width)) / 127;
    const forBias = Math.abs(value) / (LARGEST_BIAS * step);
    return Math.max(forWeights, forBias, (LEAST_RATIO * unit) / step);
  });
  const found = Float32Array.from(scales);
  const fits = scales.every((scale) => (step * scale) / unit < LARGEST_RATIO);
  if (!fits || !found.every((scale) => Number.isFinite(Math.fround(scale * step)))) {
    const [most, mostOfBias] = [weights, bias].map((values) => general(largest(values)));
    throw new WhatsitError(
      "wrong-usage",
      `weights up to ${most} and biases up to ${mostOfBias} ` +
        `for logits that differ by no more than ${general(unit * STEPS)}`,
      {
        expected: "logits that these weights give",
        hint: "a model with float weights has room for them",
      },
    );
  }
  return found;
}

/**
 * Steps from the least logit that matters to a little above the largest, with 0 among them.
 * @param {Float64Array} logits
 * @param {number} classes
 */
function outputOf(logits, classes) {
  const rows = some(logits, classes);
  const [lowest, highest] = range(logits);
  const high = Math.max(highest * HEADROOM, 0);
  const full = Math.min(lowest * HEADROOM, 0);
  // A picture whose best logit is low must still show the rest below it.
  let leastBest = Infinity;
  for (let at = 0; at < logits.length; at += classes) {
    leastBest = Math.min(leastBest, range(logits.subarray(at, at + classes))[1]);
  }
  const least = Math.max(full, Math.min(0, leastBest - SURE_NATS));
  const lows = full < least ? spaced(full, least, CANDIDATES) : [full];
  const losses = lows.map((low) => divergence(rows, classes, affine(low, high)));
  return affine(lows[argmin(losses)], high);
}

/**
 * How far probabilities move when logits go into steps: mean divergence.
 * @param {Float64Array} logits
 * @param {number} classes
 * @param {Quantisation} output
 */
function divergence(logits, classes, output) {
  const before = logShares(logits, classes);
  const after = logShares(inSteps(logits, output), classes);
  let sum = 0;
  before.forEach((log, i) => (sum += Math.exp(log) * (log - after[i])));
  return (sum * classes) / logits.length;
}

/**
 * Throws wrong-usage if the steps are so coarse that clear answers turn into others.
 * @param {Float64Array} logits
 * @param {number} classes
 * @param {Quantisation} output
 */
function check(logits, classes, output) {
  const rows = some(logits, classes);
  const logs = logShares(rows, classes);
  const steps = inSteps(rows, output);
  let lost = 0;
  for (let at = 0; at < rows.length; at += classes) {
    const own = logs.subarray(at, at + classes);
    const best = argmax(steps.subarray(at, at + classes));
    if (Math.exp(range(own)[1]) - Math.exp(own[best]) > CLEAR) lost += 1;
  }
  const count = rows.length / classes;
  if (lost <= LOST * count) return;
  const [low, high] = range(logits).map((value) => general(value));
  throw new WhatsitError(
    "wrong-usage",
    `logits from ${low} to ${high}: in 8 bits, ${lost} of ${count} pictures ` +
      "would get another answer",
    {
      expected: "logits that a model with 8 bits can tell apart",
      hint: "regularise the layer more, or teach a model with float weights",
    },
  );
}

/**
 * At most MOST_ROWS rows.
 * @param {Float64Array} logits
 * @param {number} classes
 */
function some(logits, classes) {
  const step = Math.ceil(logits.length / classes / MOST_ROWS);
  return step === 1 ? logits : logits.filter((_, i) => Math.floor(i / classes) % step === 0);
}

/**
 * The logits after they were stored in 8 bits.
 * @param {Float64Array} logits
 * @param {Quantisation} output
 */
function inSteps(logits, { scales, zeroPoints }) {
  const [scale, zero] = [scales[0], zeroPoints[0]];
  return logits.map((logit) => (clip(rint(logit / scale) + zero, -128, 127) - zero) * scale);
}

/**
 * Stored values -128 to 127 for low to high, which lie around 0.
 * @param {number} low
 * @param {number} high
 */
function affine(low, high) {
  let scale = Math.fround((high - low) / STEPS);
  if (scale < LEAST_FLOAT32) scale = 1 / STEPS; // all logits the same
  return single(scale, clip(rint(-128 - low / scale), -128, 127));
}

/**
 * @param {number} from
 * @param {number} to
 * @param {number} count
 */
function spaced(from, to, count) {
  const step = (to - from) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? to : i * step + from));
}

/** @param {Float32Array | Float64Array} values */
function range(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
