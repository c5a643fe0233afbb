/**
 * Which pictures must not be told apart when a model is judged: those of one moment, and those that
 * look the same. A head that has seen one of them has seen them all.
 */

const MOMENT_MS = 1000; // a hand that holds a phone has moved on by then
// Cosine of embeddings: with noise of the camera or a shift by 1 % pictures keep 0.94 to 0.98, turned
// by 3 degrees 0.92, and two daisies have at most 0.83 (efficientnet-lite0-int8).
const SAME = 0.95;

/**
 * A number for each picture, equal for those that belong together: with the first of a group that it
 * is near to. So a camera that moves on makes new groups, however slowly it does.
 *
 * `moments` are the times at which they were taken, in ms, null for a file.
 * @param {Float32Array} vectors (N, D)
 * @param {number} width
 * @param {(number | null)[]} moments
 * @returns {number[]}
 */
export function groupsOf(vectors, width, moments) {
  const units = unitsOf(vectors, width);
  /** @type {number[]} */
  const firsts = [];
  return moments.map((_, place) => {
    const group = firsts.findIndex(
      (first) =>
        isOneMoment(moments[first], moments[place]) || cosine(units, width, first, place) >= SAME,
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
 * @param {Float32Array} vectors
 * @param {number} width
 */
function unitsOf(vectors, width) {
  const units = Float32Array.from(vectors);
  for (let at = 0; at < units.length; at += width) {
    const row = units.subarray(at, at + width);
    const size = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0)) || 1;
    for (let d = 0; d < width; d++) row[d] /= size;
  }
  return units;
}

/**
 * @param {Float32Array} units
 * @param {number} width
 * @param {number} i
 * @param {number} j
 */
function cosine(units, width, i, j) {
  let sum = 0;
  for (let d = 0; d < width; d++) sum += units[i * width + d] * units[j * width + d];
  return sum;
}
