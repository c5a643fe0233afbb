/**
 * Which pictures must not be told apart when a model is judged: those of one moment, and those that
 * look the same. A head that has seen one of them has seen them all.
 */

import { product, unitRows } from "./vectors.js";

const MOMENT_MS = 1000; // a hand that holds a phone has moved on by then
// Cosine of embeddings: with noise of the camera or a shift by 1 % pictures keep 0.94 to 0.98,
// turned by 3 degrees 0.92, and two daisies have at most 0.83 (efficientnet-lite0-int8).
const SAME = 0.95;

/**
 * A number for each picture, equal for those that belong together: with the first of a group that
 * it is near to. So a camera that moves on makes new groups, however slowly it does.
 *
 * `moments` are the times at which they were taken, in ms, null for a file.
 * @param {Float32Array} vectors (N, D)
 * @param {number} width
 * @param {(number | null)[]} moments
 * @returns {number[]}
 */
export function groupsOf(vectors, width, moments) {
  const units = unitRows(vectors, width);
  /** @type {number[]} */
  const firsts = [];
  return moments.map((_, place) => {
    const group = firsts.findIndex(
      (first) =>
        isOneMoment(moments[first], moments[place]) ||
        product(units, first * width, units, place * width, width) >= SAME,
    );
    return group < 0 ? firsts.push(place) - 1 : group;
  });
}

/**
 * @param {number | null} one
 * @param {number | null} other
 */
function isOneMoment(one, other) {
  return one !== null && other !== null && Math.abs(one - other) < MOMENT_MS;
}

/**
 * The rows of each group, the groups in the order of their first rows; each row is one of its own
 * where there are no groups.
 * @param {number[] | null} groups
 * @param {number} count of rows
 * @returns {number[][]}
 */
export function membersOf(groups, count) {
  /** @type {Map<number, number[]>} */
  const members = new Map();
  for (let row = 0; row < count; row++) {
    const group = groups === null ? row : groups[row];
    const own = members.get(group);
    if (own === undefined) members.set(group, [row]);
    else own.push(row);
  }
  return [...members.values()];
}
