/**
 * A classification layer from a few pictures of each class, in closed form. `whatsit.train.few`.
 *
 * Ridge regression of the classes on the embeddings. The more it is held back, the nearer each row
 * comes to the mean of its class. What each picture would be given by a head that never saw it
 * follows without fitting again, and chooses.
 */

import { eigen, solve } from "./eigen.js";
import { MOST_KEPT, checkedClasses } from "./fit.js";
import { argmax, argmin, logShares, rowsOf } from "./numbers.js";

/** @typedef {import("./fit.js").Taught} Taught */
/** @typedef {import("./fit.js").HeadFit} HeadFit */

// Shares of the mean eigenvalue. With the last, no direction counts more than another: the means.
export const STRENGTHS = [0.03, 0.1, 0.3, 1, 3, 10_000];
const SHARPNESS = Array.from({ length: 46 }, (_, i) => 0.1 * 1000 ** (i / 45)); // of the logits
const MOST_RANGE = 40; // of the logits: beyond it 8 bits are too coarse, and nobody is surer
const LEAST_SHARE = 1e-6; // of the largest eigenvalue: smaller ones are rounding

/**
 * Of N pictures: eigenvectors of their products, left (N, R), the roots of the eigenvalues (R,), the
 * centred embeddings (N, D) and targets (N, C).
 * @typedef {{left: Float64Array[], values: number[], centred: Float64Array, targets: Float64Array,
 *   width: number, classes: number, count: number}} Solver
 *   `left` has a list (N,) for each direction
 */

/**
 * The closed-form head of embeddings.
 *
 * How strongly it is held back is chosen by leaving out one picture at a time, with all of its
 * group, and so is how sure its answers are. A class of one group only cannot be judged; where that
 * is all of them, the groups do not count for the choice, and there are no `scores`. Throws
 * wrong-usage for fewer than two classes.
 * @param {Taught} taught
 * @returns {HeadFit}
 */
export function fitFew(taught) {
  const classes = checkedClasses(taught);
  const { truth } = taught;
  let { alike, known } = leftOutTogether(taught);
  const judgeable = known.length > 0;
  if (!judgeable) [alike, known] = [[], truth.map((_, row) => row)];
  const { solver, mean } = solverOf(taught, classes);
  const judged = STRENGTHS.map((strength) => judge(solver, truth, strength, alike, known));
  const chosen = judged.reduce((best, one) => (one.loss <= best.loss ? one : best));
  const { strength, sharpness } = chosen;
  const weights = weightsOf(solver, strength).map((weight) => weight * sharpness);
  const bias = Float32Array.from({ length: classes }, (_, c) => {
    let sum = 0;
    for (let d = 0; d < mean.length; d++) sum -= weights[c * mean.length + d] * mean[d];
    return sum;
  });
  let outcome = null;
  if (judgeable) {
    const step = 1 + Math.floor(known.length / MOST_KEPT);
    const rows = known.filter((_, i) => i % step === 0);
    const given = rowsOf(withoutItself(solver, strength, alike), classes, rows);
    const logits = Float32Array.from(given, (value) => value * sharpness);
    outcome = { rows, truth: rows.map((row) => truth[row]), logits };
  }
  const scores = judged.map(({ strength, loss, accuracy }) => ({ strength, loss, accuracy }));
  return {
    weights: Float32Array.from(weights),
    bias,
    rule: strength === STRENGTHS[STRENGTHS.length - 1] ? "means" : "ridge",
    strength,
    scores: judgeable ? scores : [],
    judged: judgeable ? known.length : 0,
    outcome,
  };
}

/**
 * The rows of each group of several, and the rows whose class has another group.
 * @param {Taught} taught
 * @returns {{alike: number[][], known: number[]}}
 */
function leftOutTogether({ truth, groups }) {
  const own = groups ?? truth.map((_, row) => row);
  /** @type {Map<number, number[]>} */
  const members = new Map();
  own.forEach((group, row) => members.set(group, [...(members.get(group) ?? []), row]));
  const alike = [...members.values()].filter((rows) => rows.length > 1);
  /** @type {Map<number, Set<number>>} */
  const groupsOf = new Map();
  truth.forEach((index, row) => {
    groupsOf.set(index, (groupsOf.get(index) ?? new Set()).add(own[row]));
  });
  const known = truth.flatMap((index, row) =>
    /** @type {Set<number>} */ (groupsOf.get(index)).size > 1 ? [row] : [],
  );
  return { alike, known };
}

/**
 * @param {Taught} taught
 * @param {number} classes
 */
function solverOf({ vectors, width, truth }, classes) {
  const count = truth.length;
  const mean = new Float64Array(width);
  for (let i = 0; i < vectors.length; i++) mean[i % width] += vectors[i] / count;
  const centred = Float64Array.from(vectors, (value, i) => value - mean[i % width]);
  const { values: squares, vectors: directions } = eigen(products(centred, width), count);
  const least = LEAST_SHARE * Math.max(Math.max(...squares), 1e-12);
  const real = squares.flatMap((square, i) => (square > least ? [i] : []));
  const shares = new Float64Array(classes);
  for (const index of truth) shares[index] += 1 / count;
  const targets = Float64Array.from({ length: count * classes }, (_, i) => {
    const index = i % classes;
    return (truth[Math.floor(i / classes)] === index ? 1 : 0) - shares[index];
  });
  /** @type {Solver} */
  const solver = {
    left: real.map((i) => directions[i]),
    values: real.map((i) => Math.sqrt(squares[i])),
    centred,
    targets,
    width,
    classes,
    count,
  };
  return { solver, mean };
}

/**
 * rows (N, D) @ rows.T → (N, N).
 * @param {Float64Array} rows
 * @param {number} width
 */
function products(rows, width) {
  const count = rows.length / width;
  const found = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let d = 0; d < width; d++) sum += rows[i * width + d] * rows[j * width + d];
      found[i * count + j] = found[j * count + i] = sum;
    }
  }
  return found;
}

/**
 * How much of each direction is kept, (R,).
 * @param {Solver} solver
 * @param {number} strength
 */
function sharesOf({ values }, strength) {
  const mean = values.reduce((sum, value) => sum + value * value, 0) / values.length;
  return values.map((value) => (value * value) / (value * value + strength * mean));
}

/**
 * left.T @ targets, with each direction's row times a factor: (R, C).
 * @param {Solver} solver
 * @param {number[]} factors
 */
function along({ left, targets, classes }, factors) {
  return left.map((direction, r) => {
    const row = new Float64Array(classes);
    direction.forEach((part, i) => {
      for (let c = 0; c < classes; c++) row[c] += part * targets[i * classes + c] * factors[r];
    });
    return row;
  });
}

/**
 * The rows (C, D), for centred vectors.
 * @param {Solver} solver
 * @param {number} strength
 */
function weightsOf(solver, strength) {
  const { left, values, centred, width, classes, count } = solver;
  const shares = sharesOf(solver, strength);
  // Each right direction is left.T @ centred / value, so that the value counts twice.
  const rows = along(solver, shares.map((share, r) => share / (values[r] * values[r])));
  const found = new Float64Array(classes * width);
  const pictures = new Float64Array(count * classes);
  left.forEach((direction, r) => {
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < classes; c++) pictures[i * classes + c] += direction[i] * rows[r][c];
    }
  });
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < classes; c++) {
      const share = pictures[i * classes + c];
      for (let d = 0; d < width; d++) found[c * width + d] += share * centred[i * width + d];
    }
  }
  return found;
}

/**
 * What each picture is given by a head of all others, (N, C); those of a group are left out
 * together.
 *
 * From how much it weighs in its own answer: D. M. Allen, Technometrics 16 (1974), 125-127.
 * @param {Solver} solver
 * @param {number} strength
 * @param {number[][]} alike
 */
function withoutItself(solver, strength, alike) {
  const { left, targets, classes, count } = solver;
  const shares = sharesOf(solver, strength);
  const rows = along(solver, shares);
  const fitted = new Float64Array(count * classes);
  const own = new Float64Array(count).fill(1 / count); // its part in the mean, taken off before
  left.forEach((direction, r) => {
    for (let i = 0; i < count; i++) {
      own[i] += direction[i] * direction[i] * shares[r];
      for (let c = 0; c < classes; c++) fitted[i * classes + c] += direction[i] * rows[r][c];
    }
  });
  const rest = fitted.map((value, i) => {
    const weight = own[Math.floor(i / classes)];
    return (value - weight * targets[i]) / Math.max(1 - weight, LEAST_SHARE);
  });
  for (const group of alike) withoutGroup(solver, shares, fitted, group, rest);
  return rest;
}

/**
 * @param {Solver} solver
 * @param {number[]} shares
 * @param {Float64Array} fitted
 * @param {number[]} group
 * @param {Float64Array} rest that is written to
 */
function withoutGroup({ left, targets, classes, count }, shares, fitted, group, rest) {
  const size = group.length;
  const kept = new Float64Array(size * size);
  group.forEach((one, i) => {
    group.forEach((other, j) => {
      let sum = (i === j ? 1 + LEAST_SHARE : 0) - 1 / count;
      left.forEach((direction, r) => (sum -= direction[one] * shares[r] * direction[other]));
      kept[i * size + j] = sum;
    });
  });
  const missed = new Float64Array(size * classes);
  group.forEach((row, i) => {
    for (let c = 0; c < classes; c++) {
      missed[i * classes + c] = targets[row * classes + c] - fitted[row * classes + c];
    }
  });
  const found = solve(kept, missed, size);
  group.forEach((row, i) => {
    for (let c = 0; c < classes; c++) {
      rest[row * classes + c] = targets[row * classes + c] - found[i * classes + c];
    }
  });
}

/**
 * How a strength does on each picture left out, and the factor of its logits that is best.
 * @param {Solver} solver
 * @param {number[]} truth
 * @param {number} strength
 * @param {number[][]} alike
 * @param {number[]} known
 */
function judge(solver, truth, strength, alike, known) {
  const { classes } = solver;
  const scores = rowsOf(withoutItself(solver, strength, alike), classes, known);
  const own = known.map((row) => truth[row]);
  const right = own.filter(
    (index, i) => argmax(scores.subarray(i * classes, (i + 1) * classes)) === index,
  ).length;
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const square = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length;
  const spread = Math.max(Math.sqrt(square), 1e-12);
  const reach = (scores.reduce((a, b) => Math.max(a, b)) - scores.reduce((a, b) => Math.min(a, b))) / spread;
  const usable = SHARPNESS.filter((factor) => factor * reach <= MOST_RANGE);
  const factors = usable.length ? usable : SHARPNESS.slice(0, 1);
  const losses = factors.map((factor) => lossOf(scores, factor / spread, own, classes));
  const best = argmin(losses);
  const sharpness = factors[best] / spread;
  return { strength, loss: losses[best], accuracy: right / own.length, sharpness };
}

/**
 * The mean log loss of a softmax.
 * @param {Float64Array} scores
 * @param {number} factor
 * @param {number[]} truth
 * @param {number} classes
 */
function lossOf(scores, factor, truth, classes) {
  const logs = logShares(scores.map((score) => score * factor), classes);
  return -truth.reduce((sum, index, i) => sum + logs[i * classes + index], 0) / truth.length;
}
