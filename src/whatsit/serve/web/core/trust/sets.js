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

/**
 * Where the true classes stand among `scores` (N, C): minus its score for the best one, for any
 * other the scores of all better ones.
 * @param {Float32Array} scores
 * @param {number[]} truth
 * @param {number} classes
 * @returns {number[]}
 */
export function places(scores, truth, classes) {
  return truth.map((index, i) => {
    const row = scores.subarray(i * classes, (i + 1) * classes);
    let [rank, above] = [0, 0];
    row.forEach((score, c) => {
      // Ties by rising index, as everywhere.
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
 * @returns {number[]}
 */
export function thinned(values, most) {
  const ordered = [...values].sort((a, b) => a - b);
  const count = ordered.length;
  if (count <= most) return ordered;
  return Array.from({ length: most }, (_, i) => {
    const rank = Math.ceil(((count + 1) * (i + 1)) / (most + 1) - SLACK);
    return ordered[Math.min(rank, count) - 1];
  });
}
