/**
 * How strongly a head is held back, chosen by cross-validation: `_choice` of whatsit.train.head.
 */

import { ROUGH, fitted, logitsOf } from "./logistic.js";
import { argmax, logShares, rowsOf } from "./numbers.js";
import { Scaling } from "./scaling.js";
import { spanOf } from "./span.js";
import { folds } from "./splits.js";

/** @typedef {import("./fit.js").Outcome} Outcome */
/** @typedef {import("./fit.js").Progress} Progress */
/** @typedef {import("./fit.js").Score} Score */
/** @typedef {import("./fit.js").Taught} Taught */
/**
 * What the pictures of a part were given by layers fitted to the others, of rising strength:
 * `judged` [strength][picture] is loss and whether right, null where the class was not fitted to;
 * `logits` [strength] (M, K) are of the pictures `rows`, for the classes `present` (K,).
 * @typedef {{judged: ([number, boolean] | null)[][], present: number[], rows: number[],
 *   logits: Float64Array[]}} Path
 */

export const MOST_KEPT = 2000; // of the logits, to calibrate with: more say the same again
const FOLDS = 5;
// A loss over so many pictures places the strength well enough; more folds would only take time.
const ENOUGH_JUDGED = 300;

/**
 * The best of the rising strengths by cross-validation; the first if there is nothing to it.
 * @param {Taught} taught
 * @param {number} classes
 * @param {number[]} strengths
 * @param {number} seed
 * @param {Progress} progress
 */
export function choose(taught, classes, strengths, seed, progress) {
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
 * @param {Taught} taught
 * @param {number[]} part the rows that are held out
 * @param {number[]} strengths
 * @param {number} most of the logits, that are kept
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
  const known = rowsOf(vectors, width, others);
  const scaling = Scaling.of(known, width);
  const span = spanOf(scaling.apply(known), width);
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
 * The log loss of each picture, and whether its best class is the true one; null if unknown.
 *
 * `present` are the classes of the columns: of others, all pictures are held out.
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
