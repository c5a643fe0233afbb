/**
 * How far the answers of a taught bundle can be trusted, by pictures that its head did not learn.
 * `whatsit.train.trusting.of_layer`, with what it uses of `whatsit.trust`.
 */

import { tempered } from "../trust.js";
import { logarithms } from "../trust/known.js";
import { MOST_KEPT, MOST_TEMPERATURE } from "../trust/record.js";
import { places, thinned } from "../trust/sets.js";
import { argmax, logShares } from "./numbers.js";
import { knownAmong } from "./prototypes.js";

/** @typedef {import("./fit.js").Outcome} Outcome */
/** @typedef {import("./fit.js").Taught} Taught */

export const LEAST = 20; // pictures: of fewer, no share of 95 % can be told
const TEMPERATURE_DIGITS = 4;
// How far the logarithm of the temperature may lie from 0 before the pictures have spoken: it keeps
// a few right answers from making a model endlessly sure.
const PULL = 1;
const STEPS = 30; // of bisection: to a billionth
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
  const calibrated = allTempered(scores, divisor, classes);
  const kept = thinned(places(calibrated, truth, classes), MOST_KEPT);
  const error = [scores, calibrated].map((each) => calibration(each, truth, classes));
  return {
    data_set: dataSet,
    pictures: truth.length,
    temperature: divisor,
    error: error.map((share) => Number(share.toFixed(4))),
    places: kept.map(up),
    misled: kept.map(() => 0), // which is of a tree of classes, and here is none
    known: knownAmong(taught, classes, tensor),
  };
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

/**
 * `tempered` of each row of scores (N, C).
 * @param {Float32Array} scores
 * @param {number} divisor
 * @param {number} classes
 * @returns {Float32Array}
 */
function allTempered(scores, divisor, classes) {
  const found = new Float32Array(scores.length);
  for (let at = 0; at < scores.length; at += classes) {
    found.set(tempered(scores.subarray(at, at + classes), divisor), at);
  }
  return found;
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
