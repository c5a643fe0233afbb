/** Parts of about the same size and mixture, for cross-validation: `folds` of whatsit.splits. */

import { shuffled } from "./random.js";

/**
 * `count` parts of the rows whose classes are `truth`, each with its rows in rising order; some may
 * be empty. Rows with the same number in `groups` are never parted.
 * @param {ArrayLike<number>} truth
 * @param {ArrayLike<number> | null} groups
 * @param {number} count
 * @param {number} seed
 * @returns {number[][]}
 */
export function folds(truth, groups, count, seed) {
  const totals = counted(Array.from(truth));
  /** @type {{rows: number[], dealt: Map<number, number>}[]} */
  const parts = Array.from({ length: count }, () => ({ rows: [], dealt: new Map() }));
  for (const members of together(truth.length, groups, seed)) {
    const counts = counted(members.map((row) => truth[row]));
    const part = parts[neediest(counts, totals, parts)];
    part.rows.push(...members);
    for (const [label, more] of counts) part.dealt.set(label, (part.dealt.get(label) ?? 0) + more);
  }
  return parts.map(({ rows }) => rows.sort((a, b) => a - b));
}

/**
 * The rows of each group, the largest groups first, else in an order that `seed` decides.
 * @param {number} count
 * @param {ArrayLike<number> | null} groups
 * @param {number} seed
 */
function together(count, groups, seed) {
  /** @type {Map<number, number[]>} */
  const found = new Map();
  for (const row of shuffled(count, seed)) {
    const group = groups === null ? row : groups[row];
    found.set(group, [...(found.get(group) ?? []), row]);
  }
  return [...found.values()].sort((a, b) => b.length - a.length);
}

/** @param {number[]} labels */
function counted(labels) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

/**
 * The part that lacks most of these classes, in pictures; the first of equal ones.
 *
 * At the first part a class begins, so that it is not held out as a whole.
 * @param {Map<number, number>} counts
 * @param {Map<number, number>} totals
 * @param {{dealt: Map<number, number>}[]} parts
 */
function neediest(counts, totals, parts) {
  if ([...counts.keys()].some((label) => !parts[0].dealt.get(label))) return 0;
  const lacks = parts.map(({ dealt }) => {
    let [sum, weights] = [0, 0];
    for (const [label, weight] of counts) {
      const wanted = (1 / parts.length) * /** @type {number} */ (totals.get(label));
      sum += (wanted - (dealt.get(label) ?? 0)) * weight;
      weights += weight;
    }
    return sum / weights;
  });
  return lacks.indexOf(Math.max(...lacks));
}
