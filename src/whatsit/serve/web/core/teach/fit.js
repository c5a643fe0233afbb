/**
 * Fits a classification layer to embeddings: multinomial logistic regression.
 * `whatsit.train.head`.
 */

import { WhatsitError } from "../errors.js";
import { choose } from "./choice.js";
import { FINE, fitted, parted } from "./logistic.js";
import { Scaling } from "./scaling.js";
import { spanOf } from "./span.js";

/**
 * How a strength did on pictures it was not fitted to: mean log loss, share that was right.
 * @typedef {{strength: number, loss: number, accuracy: number}} Score
 */
/**
 * The logits (M, C) of the pictures `rows`, whose classes are `truth`, of layers that were fitted
 * to others: of at most about MOST_KEPT; -Infinity for a class that such a layer knew not.
 * @typedef {{rows: number[], truth: number[], logits: Float32Array}} Outcome
 */
/**
 * A layer: logits (N, C) = vectors (N, D) @ weights (C, D).T + bias (C,). `scores` are what
 * `strength` was chosen by, over `judged` pictures; `outcome` is what it gave some of them, null
 * where nothing could be judged.
 * @typedef {{weights: Float32Array, bias: Float32Array, rule: "logistic"|"ridge"|"means",
 *   strength: number, scores: Score[], judged: number, outcome: Outcome | null}} HeadFit
 */
/** @typedef {(done: number, total: number) => void} Progress */
/**
 * Embeddings (N, D) in one list, and the class of each, from 0 on. `groups` are equal for pictures
 * that must not be on both sides.
 * @typedef {{vectors: Float32Array, width: number, truth: number[],
 *   groups: number[] | null}} Taught
 */

// As the C of scikit-learn's logistic regression, the weakest head first: each fit starts from the
// last.
export const STRENGTHS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];

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
