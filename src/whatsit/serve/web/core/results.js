/** What a classification gives: the best classes, a verdict, and the JSON: whatsit.results. */

/** @typedef {import("./bundle.js").Bundle} Bundle */
/** @typedef {import("./trust.js").Judgement} Judgement */
/** @typedef {"sure" | "ambiguous" | "unknown"} Verdict */
/**
 * A class, or one of the wider terms that it falls under, such as dog, and its score.
 * @typedef {{id: string, label: string, score: number}} Ancestor
 */
/**
 * What `whatsit classify --json` prints of one picture.
 * @typedef {{path: string | null, model: string, verdict: Verdict, set: string[] | null,
 *   broader: Ancestor | null, probably: Ancestor | null,
 *   predictions: {index: number, label: string, score: number}[],
 *   timings_ms: Record<string, number>}} ResultJSON
 */

// Of a model that was never calibrated, the two best scores must lie this far apart for an answer
// to be called sure: docs/verdicts.md says how often it is right then.
export const SURE_MARGIN = 0.2;
const SCORE_DIGITS = 6;
const TIMING_DIGITS = 2;
const FEW = 64; // up to here an ordered list of the best is faster than sorting all

/**
 * Indices of the k largest scores, by falling score; ties by rising index.
 * @param {Float32Array} scores
 * @param {number} k
 * @returns {number[]}
 */
export function topK(scores, k) {
  if (k > FEW) {
    const order = Array.from(scores.keys()).sort((a, b) => scores[b] - scores[a] || a - b);
    return order.slice(0, k);
  }
  /** @type {number[]} */
  const best = [];
  for (let i = 0; i < scores.length; i += 1) {
    if (best.length === k && !(scores[i] > scores[best[k - 1]])) continue;
    let place = best.length === k ? k - 1 : best.length;
    for (; place > 0 && scores[best[place - 1]] < scores[i]; place -= 1) {
      best[place] = best[place - 1];
    }
    best[place] = i;
  }
  return best;
}

/**
 * The answer for one picture, as Classifier.answer and Result.to_json give it.
 *
 * `scores` are those that are shown, calibrated or the model's own; `judgement` is null for a
 * model that was never calibrated.
 * @param {{bundle: Bundle, scores: Float32Array, judgement?: Judgement | null, top?: number,
 *   threshold?: number, timings?: Record<string, number>, path?: string | null}} parts
 * @returns {ResultJSON}
 */
export function answer({
  bundle,
  scores,
  judgement = null,
  top = 5,
  threshold = 0,
  timings = {},
  path = null,
}) {
  const { names } = bundle.labels;
  const least = Math.fround(threshold); // as numpy compares with float32
  const best = topK(scores, top).filter((index) => scores[index] >= least);
  const spent = Object.entries(timings).map(([stage, ms]) => [stage, rounded(ms, TIMING_DIGITS)]);
  return {
    path,
    model: bundle.name,
    verdict: best.length > 0 ? verdict(scores, judgement) : "unknown",
    set: judgement === null ? null : judgement.likely.map((index) => names[index]),
    broader: ancestor(judgement?.broader ?? null),
    probably: ancestor(judgement?.probably ?? null),
    predictions: best.map((index) => ({
      index,
      label: names[index],
      score: rounded(scores[index], SCORE_DIGITS),
    })),
    timings_ms: Object.fromEntries(spent),
  };
}

/**
 * By the set of likely classes, or by a margin where the bundle is not calibrated.
 * @param {Float32Array} scores
 * @param {Judgement | null} judgement
 * @returns {Verdict}
 */
function verdict(scores, judgement) {
  if (judgement !== null) {
    if (!judgement.known) return "unknown";
    return judgement.likely.length === 1 ? "sure" : "ambiguous";
  }
  const [first, second] = topK(scores, 2).map((index) => scores[index]);
  return first - (second ?? 0) >= SURE_MARGIN ? "sure" : "ambiguous";
}

/**
 * @param {Ancestor | null} found
 * @returns {Ancestor | null}
 */
function ancestor(found) {
  return found === null ? null : { ...found, score: rounded(found.score, SCORE_DIGITS) };
}

/**
 * A number of so many decimal places; of two equally near the even one, as Python has it.
 * @param {number} value
 * @param {number} digits
 * @returns {number}
 */
export function rounded(value, digits) {
  const found = Number(value.toFixed(digits));
  // Only odd multiples of 1 / 2 ** (digits + 1) lie exactly between two; toFixed goes away from 0.
  if (Math.abs(value * 2 ** (digits + 1)) % 2 !== 1) return found;
  const steps = Math.round(found * 10 ** digits);
  return (steps % 2 === 0 ? steps : steps - Math.sign(steps)) / 10 ** digits;
}
