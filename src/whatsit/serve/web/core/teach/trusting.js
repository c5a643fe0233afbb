/**
 * How far the answers of a taught bundle can be trusted, by pictures that its head did not learn.
 * `whatsit.train.trusting.of_layer`, with what it uses of `whatsit.trust`.
 */

import { argmax, logShares, rint } from "./numbers.js";

/** @typedef {import("./fit.js").Taught} Taught */
/** @typedef {import("./fit.js").Outcome} Outcome */
/** @typedef {{rows: Int8Array, tensor: number}} Prototypes rows (C, D) */

export const LEAST = 20; // pictures: of fewer, no share of 95 % can be told
const MOST_KEPT = 1000;
const MOST_TEMPERATURE = 20;
const TEMPERATURE_DIGITS = 4;
// How far the logarithm of the temperature may lie from 0 before the pictures have spoken.
const PULL = 1;
const STEPS = 30; // of bisection: to a billionth
const LEAST_SCORE = 1e-12; // below it logarithms are of rounding
const LEVELS = 127; // of int8, either side of 0
const PENALTY = 0.001; // of sets, for each better class
const BINS = 15;

/**
 * The record of a bundle with the head of this outcome; null for too few pictures.
 *
 * `tensor` is the embedding's in the bundle's graph.
 * @param {Taught} taught
 * @param {Outcome | null} outcome
 * @param {{classes: number, tensor: number, dataSet: string}} about
 */
export function trustOf(taught, outcome, { classes, tensor, dataSet }) {
  if (outcome === null || outcome.truth.length < LEAST) return null;
  const { truth } = outcome;
  const scores = Float32Array.from(logShares(outcome.logits, classes), Math.exp);
  const divisor = Number(temperature(scores, truth, classes).toFixed(TEMPERATURE_DIGITS));
  const calibrated = tempered(scores, divisor, classes);
  const places = thinned(placesOf(calibrated, truth, classes), MOST_KEPT);
  const error = [scores, calibrated].map((each) => calibration(each, truth, classes));
  return {
    data_set: dataSet,
    pictures: truth.length,
    temperature: divisor,
    error: error.map((share) => Number(share.toFixed(4))),
    places: places.map(up),
    misled: places.map(() => 0), // which is of a tree of classes, and here is none
    known: knownAmong(taught, classes, tensor),
  };
}

/**
 * How known a picture looks is the cosine between its embedding and the nearest class mean; that of
 * each taught picture (and those of its group) left out says what is usual.
 * @param {Taught} taught
 * @param {number} classes
 * @param {number} tensor
 */
function knownAmong(taught, classes, tensor) {
  const { width } = taught;
  const units = unitRows(taught.vectors, width);
  const near = nearnessOfOthers(units, taught, classes).filter((value) => !Number.isNaN(value));
  const kept = thinned(near.map((value) => -value), MOST_KEPT).map((value) => -value).reverse();
  const rows = prototypes(units, taught, classes);
  return {
    rule: "prototypes",
    scores: kept.map(down),
    prototypes: { tensor, width, rows: base64(rows) },
  };
}

/**
 * The mean direction of each class's embeddings, as int8 (C, D).
 * @param {Float64Array} units
 * @param {Taught} taught
 * @param {number} classes
 * @returns {Int8Array}
 */
function prototypes(units, { width, truth }, classes) {
  const sums = sumsOf(units, width, truth, classes);
  const rows = new Int8Array(classes * width);
  for (let at = 0; at < rows.length; at += width) {
    let most = 1e-12;
    for (let d = 0; d < width; d++) most = Math.max(most, Math.abs(sums[at + d]));
    for (let d = 0; d < width; d++) rows[at + d] = rint((sums[at + d] / most) * LEVELS);
  }
  return rows;
}

/**
 * The cosine of each embedding with the nearest class mean that it had no part in, nor had those of
 * its group. NaN where nothing else of its class is left.
 * @param {Float64Array} units
 * @param {Taught} taught
 * @param {number} classes
 * @returns {number[]}
 */
function nearnessOfOthers(units, { width, truth, groups }, classes) {
  const sums = sumsOf(units, width, truth, classes);
  const whole = unitRows(sums, width);
  const counts = countsOf(truth, classes);
  const found = new Array(truth.length).fill(NaN);
  for (const members of membersOf(groups, truth.length)) {
    const own = members.map((row) => truth[row]);
    const rest = sums.slice();
    for (const row of members) {
      for (let d = 0; d < width; d++) rest[truth[row] * width + d] -= units[row * width + d];
    }
    const taken = countsOf(own, classes);
    for (const index of new Set(own)) {
      const part = rest.subarray(index * width, (index + 1) * width);
      // And not what rounding left there.
      part.set(counts[index] === taken[index] ? part.map(() => 0) : unitRows(part, width));
    }
    for (const row of members) {
      if (counts[truth[row]] === taken[truth[row]]) continue;
      let best = -Infinity;
      for (let c = 0; c < classes; c++) {
        best = Math.max(best, product(units, row * width, taken[c] ? rest : whole, c * width, width));
      }
      found[row] = best;
    }
  }
  return found;
}

/**
 * @param {number[] | null} groups
 * @param {number} count
 * @returns {number[][]}
 */
function membersOf(groups, count) {
  if (groups === null) return Array.from({ length: count }, (_, row) => [row]);
  /** @type {Map<number, number[]>} */
  const members = new Map();
  groups.forEach((group, row) => members.set(group, [...(members.get(group) ?? []), row]));
  return [...members.values()];
}

/**
 * @param {number[]} truth
 * @param {number} classes
 */
function countsOf(truth, classes) {
  const counts = new Array(classes).fill(0);
  for (const index of truth) counts[index] += 1;
  return counts;
}

/**
 * @param {Float64Array} units
 * @param {number} width
 * @param {number[]} truth
 * @param {number} classes
 */
function sumsOf(units, width, truth, classes) {
  const sums = new Float64Array(classes * width);
  truth.forEach((index, row) => {
    for (let d = 0; d < width; d++) sums[index * width + d] += units[row * width + d];
  });
  return sums;
}

/**
 * The rows at length 1; zeros stay.
 * @param {Float32Array | Float64Array} rows
 * @param {number} width
 * @returns {Float64Array}
 */
function unitRows(rows, width) {
  const found = Float64Array.from(rows);
  for (let at = 0; at < found.length; at += width) {
    const size = Math.max(Math.sqrt(product(found, at, found, at, width)), 1e-12);
    for (let d = 0; d < width; d++) found[at + d] /= size;
  }
  return found;
}

/**
 * @param {Float64Array} one
 * @param {number} from
 * @param {Float64Array} other
 * @param {number} to
 * @param {number} width
 */
function product(one, from, other, to, width) {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += one[from + d] * other[to + d];
  return sum;
}

/**
 * What the logits of `scores` (N, C) are to be divided by: where the log loss is least.
 *
 * C. Guo et al., ICML 2017.
 * @param {Float32Array} scores
 * @param {number[]} truth
 * @param {number} classes
 */
function temperature(scores, truth, classes) {
  const logits = logarithms(scores);
  const own = truth.reduce((sum, index, i) => sum + logits[i * classes + index], 0);
  /** Of the log loss, by the logarithm of a factor of the logits; it is 0 at one place. */
  const slope = (/** @type {number} */ logFactor) => {
    const factor = Math.exp(logFactor);
    const logs = logShares(logits.map((logit) => logit * factor), classes);
    const expected = logs.reduce((sum, log, i) => sum + Math.exp(log) * logits[i], 0);
    return factor * (expected - own) + logFactor / PULL ** 2;
  };
  let [low, high] = [-Math.log(MOST_TEMPERATURE), Math.log(MOST_TEMPERATURE)];
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (slope(middle) < 0) low = middle;
    else high = middle;
  }
  return Math.exp(-(low + high) / 2);
}

/** @param {Float32Array} scores */
function logarithms(scores) {
  return Float64Array.from(scores, (score) => Math.log(Math.max(score, LEAST_SCORE)));
}

/**
 * Scores (N, C) whose logits are divided by the temperature.
 * @param {Float32Array} scores
 * @param {number} divisor
 * @param {number} classes
 * @returns {Float32Array}
 */
function tempered(scores, divisor, classes) {
  if (divisor === 1) return scores;
  const logs = logShares(logarithms(scores).map((logit) => logit / divisor), classes);
  return Float32Array.from(logs, Math.exp);
}

/**
 * Where the true classes stand among `scores` (N, C): minus its score for the best one, for any
 * other the scores of all better ones.
 * @param {Float32Array} scores
 * @param {number[]} truth
 * @param {number} classes
 */
function placesOf(scores, truth, classes) {
  return truth.map((index, i) => {
    const row = scores.subarray(i * classes, (i + 1) * classes);
    let [rank, above] = [0, 0];
    row.forEach((score, c) => {
      if (score < row[index] || (score === row[index] && c >= index)) return;
      rank += 1;
      above += score;
    });
    return rank === 0 ? -row[index] : above + PENALTY * rank;
  });
}

/**
 * At most `most` of the values, rising, whose limits are nowhere lower than those of all.
 * @param {number[]} values
 * @param {number} most
 */
function thinned(values, most) {
  const ordered = [...values].sort((a, b) => a - b);
  const count = ordered.length;
  if (count <= most) return ordered;
  return Array.from({ length: most }, (_, i) => {
    const rank = Math.ceil(((count + 1) * (i + 1)) / (most + 1) - 1e-9);
    return ordered[Math.min(rank, count) - 1];
  });
}

/**
 * The expected calibration error of the best classes' scores.
 * @param {Float32Array} scores
 * @param {number[]} truth
 * @param {number} classes
 */
function calibration(scores, truth, classes) {
  const apart = new Float64Array(BINS);
  truth.forEach((index, i) => {
    const row = scores.subarray(i * classes, (i + 1) * classes);
    const best = argmax(row);
    const bin = Math.min(Math.max(Math.ceil(row[best] * BINS) - 1, 0), BINS - 1);
    apart[bin] += (best === index ? 1 : 0) - row[best];
  });
  return apart.reduce((sum, value) => sum + Math.abs(value), 0) / truth.length;
}

/**
 * Rounded to the safe side: no limit is lower than it was.
 * @param {number} value
 */
function up(value) {
  return Math.ceil(value * 1e6) / 1e6;
}

/**
 * Rounded to the safe side: no limit is higher than it was.
 * @param {number} value
 */
function down(value) {
  return Math.floor(value * 1e6) / 1e6;
}

/** @param {Int8Array} values */
function base64(values) {
  let text = "";
  for (const byte of new Uint8Array(values.buffer)) text += String.fromCharCode(byte);
  return btoa(text);
}
