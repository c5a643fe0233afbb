/**
 * A classification layer from a few pictures of each class, in closed form. `whatsit.train.few`.
 *
 * Ridge regression of the classes on the embeddings. The more it is held back, the nearer each row
 * comes to the mean of its class. What each picture would be given by a head that never saw it
 * follows without fitting again, and chooses.
 */

import { MOST_KEPT } from "./choice.js";
import { checkedClasses } from "./fit.js";
import { membersOf } from "./groups.js";
import { argmax, argmin, logShares, rowsOf } from "./numbers.js";
import { Ridge } from "./ridge.js";
import { meanRow, product } from "./vectors.js";

/** @typedef {import("./fit.js").HeadFit} HeadFit */
/** @typedef {import("./fit.js").Outcome} Outcome */
/** @typedef {import("./fit.js").Taught} Taught */
/**
 * What a choice is made by: each picture is left out with those that it is `alike` to, and the
 * answers to those that are `known`, whose class has others, count.
 * @typedef {{alike: number[][], known: number[]}} LeftOut
 */

// Shares of the mean eigenvalue. With the last, no direction counts more than another: the means.
export const STRENGTHS = [0.03, 0.1, 0.3, 1, 3, 10_000];
const SHARPNESS = Array.from({ length: 46 }, (_, i) => 0.1 * 1000 ** (i / 45)); // of the logits
const MOST_RANGE = 40; // of the logits: beyond it 8 bits are too coarse, and nobody is surer
const LEAST_SPREAD = 1e-12; // of scores that are all the same

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
  const { vectors, width, truth } = taught;
  const left = leftOutTogether(taught);
  const judgeable = left.known.length > 0;
  const used = judgeable ? left : { alike: [], known: truth.map((_, row) => row) };
  const mean = meanRow(vectors, width);
  const ridge = Ridge.of(vectors, mean, truth, classes);
  const judged = STRENGTHS.map((strength) => judge(ridge, truth, strength, used));
  // Of equal ones the strongest.
  const chosen = judged.reduce((best, one) => (one.loss <= best.loss ? one : best));
  const { strength, sharpness } = chosen;
  const weights = ridge.weights(strength).map((weight) => weight * sharpness);
  const scores = judged.map(({ strength, loss, accuracy }) => ({ strength, loss, accuracy }));
  return {
    weights: Float32Array.from(weights),
    bias: layerBias(weights, mean),
    rule: strength === STRENGTHS[STRENGTHS.length - 1] ? "means" : "ridge",
    strength,
    scores: judgeable ? scores : [],
    judged: judgeable ? used.known.length : 0,
    outcome: judgeable ? outcomeOf(ridge, truth, chosen, used) : null,
  };
}

/**
 * The bias (C,) that stands for taking the mean off the embeddings.
 * @param {Float64Array} weights (C, D)
 * @param {Float64Array} mean (D,)
 */
function layerBias(weights, mean) {
  const width = mean.length;
  const bias = new Float32Array(weights.length / width);
  return bias.map((_, c) => -product(weights, c * width, mean, 0, width));
}

/**
 * What the pictures were given by heads that did not see them.
 * @param {Ridge} ridge
 * @param {number[]} truth
 * @param {{strength: number, sharpness: number}} chosen
 * @param {LeftOut} left
 * @returns {Outcome}
 */
function outcomeOf(ridge, truth, { strength, sharpness }, { alike, known }) {
  const step = 1 + Math.floor(known.length / MOST_KEPT);
  const rows = known.filter((_, i) => i % step === 0);
  const given = rowsOf(ridge.withoutItself(strength, alike), ridge.classes, rows);
  const logits = Float32Array.from(given, (value) => value * sharpness);
  return { rows, truth: rows.map((row) => truth[row]), logits };
}

/**
 * The rows of each group of several, and the rows whose class has another group.
 * @param {Taught} taught
 * @returns {LeftOut}
 */
function leftOutTogether({ truth, groups }) {
  const own = groups ?? truth.map((_, row) => row);
  const alike = membersOf(groups, truth.length).filter((rows) => rows.length > 1);
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
 * How a strength does on each picture left out, and the factor of its logits that is best.
 * @param {Ridge} ridge
 * @param {number[]} truth
 * @param {number} strength
 * @param {LeftOut} left
 */
function judge(ridge, truth, strength, { alike, known }) {
  const { classes } = ridge;
  const scores = rowsOf(ridge.withoutItself(strength, alike), classes, known);
  const own = known.map((row) => truth[row]);
  const right = own.filter(
    (index, i) => argmax(scores.subarray(i * classes, (i + 1) * classes)) === index,
  ).length;
  const spread = spreadOf(scores);
  const reach = (scores[argmax(scores)] - scores[argmin(scores)]) / spread;
  const usable = SHARPNESS.filter((factor) => factor * reach <= MOST_RANGE);
  const factors = usable.length ? usable : SHARPNESS.slice(0, 1);
  const losses = factors.map((factor) => lossOf(scores, factor / spread, own, classes));
  const best = argmin(losses);
  const sharpness = factors[best] / spread;
  return { strength, loss: losses[best], accuracy: right / own.length, sharpness };
}

/**
 * The standard deviation.
 * @param {Float64Array} scores
 */
function spreadOf(scores) {
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const square = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length;
  return Math.max(Math.sqrt(square), LEAST_SPREAD);
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
