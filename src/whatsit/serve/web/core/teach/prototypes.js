/**
 * How known the taught pictures look to each other: `known_among` of whatsit.trust.fitting, with
 * what it uses of whatsit.trust.known.
 */

import { MOST_KEPT } from "../trust/record.js";
import { thinned } from "../trust/sets.js";
import { membersOf } from "./groups.js";
import { largest, rint } from "./numbers.js";
import { add, product, unitRows } from "./vectors.js";

/** @typedef {import("./fit.js").Taught} Taught */

const LEVELS = 127; // of int8, either side of 0
const LEAST_SUM = 1e-12; // of embeddings that are nothing

/**
 * How known a picture looks is the cosine between its embedding and the nearest class mean; that of
 * each taught picture (and those of its group) left out says what is usual.
 * @param {Taught} taught
 * @param {number} classes
 * @param {number} tensor
 */
export function knownAmong(taught, classes, tensor) {
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
    const most = Math.max(largest(sums.subarray(at, at + width)), LEAST_SUM);
    for (let d = 0; d < width; d++) rows[at + d] = rint((sums[at + d] / most) * LEVELS);
  }
  return rows;
}

/**
 * The cosine of each embedding with the nearest class mean that it had no part in, nor had those of
 * its group, whatever their classes. NaN where nothing else of its class is left: it cannot be
 * judged.
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
    const taken = countsOf(members.map((row) => truth[row]), classes);
    const means = whole.slice();
    taken.forEach((count, index) => {
      if (count === 0) return;
      const rest = sums.slice(index * width, (index + 1) * width);
      const own = members.filter((row) => truth[row] === index);
      for (const row of own) add(rest, 0, -1, units, row * width, width);
      // Of a class that is taken whole nothing is left but what rounding made.
      means.set(count === counts[index] ? rest.fill(0) : unitRows(rest, width), index * width);
    });
    for (const row of members) {
      if (counts[truth[row]] === taken[truth[row]]) continue;
      found[row] = nearest(units, row * width, means, width);
    }
  }
  return found;
}

/**
 * The largest cosine of the vector at a place with any of the means (C, D).
 * @param {Float64Array} units
 * @param {number} at
 * @param {Float64Array} means
 * @param {number} width
 */
function nearest(units, at, means, width) {
  let best = -Infinity;
  for (let from = 0; from < means.length; from += width) {
    best = Math.max(best, product(units, at, means, from, width));
  }
  return best;
}

/**
 * How many pictures each class has.
 * @param {number[]} truth
 * @param {number} classes
 */
function countsOf(truth, classes) {
  const counts = new Array(classes).fill(0);
  for (const index of truth) counts[index] += 1;
  return counts;
}

/**
 * The sum of each class's embeddings, (C, D).
 * @param {Float64Array} units
 * @param {number} width
 * @param {number[]} truth
 * @param {number} classes
 */
function sumsOf(units, width, truth, classes) {
  const sums = new Float64Array(classes * width);
  truth.forEach((index, row) => add(sums, index * width, 1, units, row * width, width));
  return sums;
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
