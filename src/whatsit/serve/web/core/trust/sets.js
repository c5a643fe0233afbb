/** Sets of classes that hold the truth as often as is asked for: whatsit.trust.sets. */

const PENALTY = 0.001; // for each better class, as whatsit.trust.sets has it
const SLACK = 1e-9; // of ranks: 100 * 0.9 is 90.00000000000001

/**
 * How many classes of a picture are in its set, by its scores, best first.
 * @param {Float32Array} ordered
 * @param {number} limit
 * @returns {number}
 */
export function size(ordered, limit) {
  if (ordered.length === 0 || -ordered[0] > limit) return 0;
  let above = 0;
  for (let rank = 1; rank < ordered.length; rank += 1) {
    above += ordered[rank - 1];
    if (!(above + PENALTY * rank <= limit)) return rank;
  }
  return ordered.length;
}

/**
 * The place up to which classes enter the sets; `ordered` are calibration's, rising. Infinite,
 * so that every class enters, where so few pictures can promise nothing.
 * @param {Float64Array} ordered
 * @param {number} coverage
 * @returns {number}
 */
export function limit(ordered, coverage) {
  const rank = Math.ceil((ordered.length + 1) * coverage - SLACK);
  if (rank > ordered.length) return Infinity;
  return rank > 0 ? ordered[rank - 1] : -Infinity;
}
