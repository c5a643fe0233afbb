/**
 * Fits a classification layer to embeddings: multinomial logistic regression.
 * `whatsit.train.head`.
 */

import { WhatsitError } from "../errors.js";
import { largest, lowest } from "./descent.js";
import { argmax, logShares, rowsOf } from "./numbers.js";
import { spanOf } from "./span.js";
import { folds } from "./splits.js";

/**
 * How a strength did on pictures it was not fitted to: mean log loss, share that was right.
 * @typedef {{strength: number, loss: number, accuracy: number}} Score
 */
/**
 * The logits (M, C) of the pictures `rows`, whose classes are `truth`, of layers that were fitted to
 * others; -Infinity for a class that such a layer knew not.
 * @typedef {{rows: number[], truth: number[], logits: Float32Array}} Outcome
 */
/**
 * A layer: logits (N, C) = vectors (N, D) @ weights (C, D).T + bias (C,). `scores` are what
 * `strength` was chosen by, over `judged` pictures.
 * @typedef {{weights: Float32Array, bias: Float32Array, rule: "logistic"|"ridge"|"means",
 *   strength: number, scores: Score[], judged: number, outcome: Outcome | null}} HeadFit
 */
/** @typedef {(done: number, total: number) => void} Progress */
/** @typedef {import("./span.js").Span} Span */
/**
 * Embeddings (N, D) in one list, and the class of each, from 0 on. `groups` are equal for pictures
 * that must not be on both sides.
 * @typedef {{vectors: Float32Array, width: number, truth: number[],
 *   groups: number[] | null}} Taught
 */

// As in the Python, the weakest head first: each fit starts from the last.
export const STRENGTHS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
export const MOST_KEPT = 2000; // of the logits, to calibrate with: more say the same again
const FOLDS = 5;
// A loss over so many pictures places the strength well enough; more folds would only take time.
const ENOUGH_JUDGED = 300;
const [ROUGH, FINE] = [1e-3, 1e-5]; // of the gradient, where a fit stops: for the choice, and kept
const MOST_STEPS = 1000;
const OWN = 0.8; // how far each value is scaled by its own spread: 1 is all the way
const LEAST_SPREAD = 1e-3; // of an embedding's value, as a share of the mean one

/**
 * The logistic head of embeddings.
 *
 * How strongly it is held back is chosen by cross-validation with the log loss, pictures of a group
 * never on both sides; then it is fitted to all. Throws wrong-usage for fewer than two classes.
 * @param {Taught} taught
 * @param {{strengths?: number[], seed?: number, progress?: Progress}} [options]
 * @returns {HeadFit}
 */
export function fitHead(taught, { strengths = STRENGTHS, seed = 0, progress = () => {} } = {}) {
  const classes = checkedClasses(taught);
  const { vectors, width, truth } = taught;
  const choice = choose(taught, classes, strengths, seed, progress);
  const scaling = Scaling.of(vectors, width);
  const span = spanOf(scaling.apply(vectors), width);
  const start = new Float64Array(classes * (span.width + 1));
  const rows = fitted(span, truth, choice.strength, FINE, start);
  const { weights, bias } = parted(rows, span.width);
  return { ...scaling.undone(span.back(weights), bias), rule: "logistic", ...choice };
}

/**
 * The number of classes. Throws wrong-usage unless vectors and classes can be learned from.
 * @param {Taught} taught
 * @returns {number}
 */
export function checkedClasses({ vectors, width, truth }) {
  if (vectors.length !== truth.length * width || !vectors.every(Number.isFinite)) {
    const expected = "finite [pictures, values] and [pictures]";
    const what = `${vectors.length} values for ${truth.length} pictures`;
    throw new WhatsitError("wrong-usage", what, { expected });
  }
  const found = [...new Set(truth)].sort((a, b) => a - b);
  if (found.length < 2 || found[0] !== 0 || found[found.length - 1] !== found.length - 1) {
    const what = `the classes [${found.slice(0, 10).join(", ")}]`;
    throw new WhatsitError("wrong-usage", what, { expected: "at least two, counted from 0" });
  }
  return found.length;
}

/** vectors (N, D) → (vectors - mean) / spread. */
class Scaling {
  /**
   * @param {Float64Array} mean
   * @param {Float64Array} spread
   */
  constructor(mean, spread) {
    this.mean = mean;
    this.spread = spread;
  }

  /**
   * Between each value's own spread and that of all, nearer to its own.
   * @param {Float32Array} vectors
   * @param {number} width
   */
  static of(vectors, width) {
    const count = vectors.length / width;
    const [mean, squares] = [new Float64Array(width), new Float64Array(width)];
    for (let i = 0; i < vectors.length; i++) mean[i % width] += vectors[i] / count;
    for (let i = 0; i < vectors.length; i++) {
      squares[i % width] += (vectors[i] - mean[i % width]) ** 2 / count;
    }
    const every = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / width) || 1;
    const spread = squares.map(
      (square) => (Math.sqrt(square) + LEAST_SPREAD * every) ** OWN * every ** (1 - OWN),
    );
    return new Scaling(mean, spread);
  }

  /**
   * @param {Float32Array} vectors
   * @returns {Float32Array}
   */
  apply(vectors) {
    const width = this.mean.length;
    return vectors.map((value, i) => (value - this.mean[i % width]) / this.spread[i % width]);
  }

  /**
   * The layer for vectors as they are that does what this one does for scaled ones.
   * @param {Float64Array} weights
   * @param {Float64Array} bias
   */
  undone(weights, bias) {
    const width = this.mean.length;
    const rows = weights.map((weight, i) => weight / this.spread[i % width]);
    const moved = bias.map((value, c) => {
      for (let d = 0; d < width; d++) value -= rows[c * width + d] * this.mean[d];
      return value;
    });
    return { weights: Float32Array.from(rows), bias: Float32Array.from(moved) };
  }
}

/**
 * The best of the rising strengths by cross-validation; the first if there is nothing to it.
 * @param {Taught} taught
 * @param {number} classes
 * @param {number[]} strengths
 * @param {number} seed
 * @param {Progress} progress
 */
function choose(taught, classes, strengths, seed, progress) {
  const parts = strengths.length > 1 ? partsOf(taught, seed) : [];
  const most = Math.floor(MOST_KEPT / Math.max(1, parts.length));
  const paths = parts.map((part, i) => {
    const path = pathOf(taught, part, strengths, most);
    progress(i + 1, parts.length + 1);
    return path;
  });
  const { scores, judged } = joined(paths, strengths);
  if (!scores.length) return { strength: strengths[0], scores, judged, outcome: null };
  const place = scores.reduce((best, score, i) => (score.loss < scores[best].loss ? i : best), 0);
  const outcome = outcomeOf(paths, place, classes, taught.truth);
  return { strength: scores[place].strength, scores, judged, outcome };
}

/**
 * The folds that are held out in turn: as many as it takes to judge enough pictures.
 * @param {Taught} taught
 * @param {number} seed
 */
function partsOf({ truth, groups }, seed) {
  const parts = folds(truth, groups, FOLDS, seed).filter((part) => part.length);
  const needed = Math.ceil((ENOUGH_JUDGED * FOLDS) / truth.length);
  return needed < parts.length ? parts.slice(-needed) : parts;
}

/**
 * What the pictures of a part were given by layers fitted to the others, of rising strength:
 * `judged` [strength][picture] is loss and whether right, null where the class was not fitted to;
 * `logits` [strength] (M, K) are of the pictures `rows`, for the classes `present` (K,).
 * @typedef {{judged: ([number, boolean] | null)[][], present: number[], rows: number[],
 *   logits: Float64Array[]}} Path
 */

/**
 * @param {Taught} taught
 * @param {number[]} part
 * @param {number[]} strengths
 * @param {number} most
 * @returns {Path}
 */
function pathOf({ vectors, width, truth }, part, strengths, most) {
  const held = new Set(part);
  const others = truth.map((_, row) => row).filter((row) => !held.has(row));
  const present = [...new Set(others.map((row) => truth[row]))].sort((a, b) => a - b);
  /** @type {Path} */
  const found = { judged: strengths.map(() => []), present, rows: [], logits: [] };
  if (present.length < 2) return found;
  const kept = part.flatMap((row, i) => (present.includes(truth[row]) ? [i] : []));
  const thin = kept.filter((_, i) => i % (1 + Math.floor(kept.length / most)) === 0);
  found.rows = thin.map((i) => part[i]);
  const fitted_to = rowsOf(vectors, width, others);
  const scaling = Scaling.of(fitted_to, width);
  const span = spanOf(scaling.apply(fitted_to), width);
  const asked = span.along(scaling.apply(rowsOf(vectors, width, part)));
  const own = others.map((row) => present.indexOf(truth[row]));
  /** @type {Float64Array} */
  let rows = new Float64Array(present.length * (span.width + 1));
  strengths.forEach((strength, place) => {
    rows = fitted(span, own, strength, ROUGH, rows);
    const logits = logitsOf(asked, span.width, rows);
    found.judged[place] = lossesOf(logits, present, part.map((row) => truth[row]));
    found.logits.push(rowsOf(logits, present.length, thin));
  });
  return found;
}

/**
 * @param {Float64Array} logits
 * @param {number[]} present
 * @param {number[]} truth
 * @returns {([number, boolean] | null)[]}
 */
function lossesOf(logits, present, truth) {
  const count = present.length;
  const logs = logShares(logits, count);
  return truth.map((index, i) => {
    const column = present.indexOf(index);
    const best = argmax(logits.subarray(i * count, (i + 1) * count));
    return column < 0 ? null : [-logs[i * count + column], best === column];
  });
}

/**
 * The scores, and over how many pictures they are.
 * @param {Path[]} paths
 * @param {number[]} strengths
 * @returns {{scores: Score[], judged: number}}
 */
function joined(paths, strengths) {
  const every = strengths.map((_, place) =>
    paths.flatMap((path) => path.judged[place]).filter((one) => one !== null),
  );
  const judged = every[0]?.length ?? 0;
  if (!judged) return { scores: [], judged: 0 };
  const scores = strengths.map((strength, place) => {
    const loss = every[place].reduce((sum, [one]) => sum + one, 0) / judged;
    const accuracy = every[place].filter(([, right]) => right).length / judged;
    return { strength, loss, accuracy };
  });
  return { scores, judged };
}

/**
 * What the strength at `place` gave, over all parts and classes.
 * @param {Path[]} paths
 * @param {number} place
 * @param {number} classes
 * @param {number[]} truth
 * @returns {Outcome}
 */
function outcomeOf(paths, place, classes, truth) {
  const rows = paths.flatMap((path) => path.rows);
  const logits = new Float32Array(rows.length * classes).fill(-Infinity);
  let at = 0;
  for (const { present, rows: own, logits: given } of paths) {
    own.forEach((_, i) => {
      present.forEach((index, column) => {
        logits[at + index] = given[place][i * present.length + column];
      });
      at += classes;
    });
  }
  return { rows, truth: rows.map((row) => truth[row]), logits };
}

/**
 * Weights and bias (C, R + 1), where the mean log loss and the weights' size are least.
 * @param {Span} span
 * @param {number[]} truth
 * @param {number} strength
 * @param {number} stop
 * @param {Float64Array} start where the search begins
 */
function fitted({ points, width, whole, back }, truth, strength, stop, start) {
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
function logitsOf(points, width, rows) {
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
function parted(rows, width) {
  const isBias = (/** @type {number} */ i) => i % (width + 1) === width;
  return {
    weights: rows.filter((_, i) => !isBias(i)),
    bias: rows.filter((_, i) => isBias(i)),
  };
}
