/** How long each stage of one picture takes, on this device: as `whatsit benchmark` has it. */

/** @typedef {import("./messages.js").Spread} Spread */

/** @type {readonly string[]} */
export const STAGES = Object.freeze(["preprocess", "inference", "post", "total"]);

/**
 * @param {Record<string, number>[]} timings of each run, by stage
 * @returns {Record<string, Spread>}
 */
export function spreads(timings) {
  return Object.fromEntries(
    STAGES.map((stage) => [stage, spread(timings.map((times) => times[stage]))]),
  );
}

/**
 * Of many times of the same thing; at least one.
 * @param {readonly number[]} times
 * @returns {Spread}
 */
export function spread(times) {
  const sorted = [...times].sort((one, other) => one - other);
  const mean = sorted.reduce((sum, time) => sum + time, 0) / sorted.length;
  return {
    median: quantile(sorted, 0.5),
    p95: quantile(sorted, 0.95),
    mean,
    min: sorted[0],
    max: sorted[sorted.length - 1],
  };
}

/**
 * Between the two nearest, as numpy.percentile does.
 * @param {readonly number[]} sorted
 * @param {number} share
 * @returns {number}
 */
function quantile(sorted, share) {
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
}
