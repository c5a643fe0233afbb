/**
 * Replays sample pictures: does this build, on this device, give the recorded answers?
 * whatsit.selftest and whatsit.zoo.golden_answers. A build that does not must not be used.
 */

import { WhatsitError } from "../core/errors.js";

/** @typedef {[index: number, score: number][]} Best the best classes, best first */
/**
 * One picture. `expected` and `got` are null for a model without recorded answers, of which is
 * known only that it runs; `got` and `difference` where there were no scores, too.
 * @typedef {{picture: string, passed: boolean, difference: number | null, expected: Best | null,
 *   got: Best | null, reason: string}} Check
 */
/** @typedef {{passed: boolean, build: string, checks: Check[]}} SelfTest */
/** @typedef {(picture: string) => Promise<Float32Array>} Scorer */

/** @type {readonly string[]} */
export const PICTURES = Object.freeze(["camera.jpg", "cat.jpg"]); // tools/web/samples.py has them, too
/** What the times of a device are measured with. */
export const MEASURED = "camera.jpg";
// How far a score may be from the recorded one, as whatsit.zoo.golden_answers says and why.
const TOLERANCE = 0.05;

/**
 * Ends with the first picture of which a build has no scores.
 * @param {Scorer} score gives the raw scores of a sample picture
 * @param {Record<string, Best> | null} expected by picture
 * @param {(check: Check) => void} onStep
 * @returns {Promise<Check[]>}
 */
export async function replay(score, expected, onStep) {
  const checks = [];
  for (const picture of PICTURES) {
    const check = await checked(picture, score, expected?.[picture] ?? null);
    checks.push(check);
    onStep(check);
    if (!check.passed && check.got === null) break;
  }
  return checks;
}

/**
 * The largest difference of the expected classes' scores, and whether `scores` agree.
 * @param {Float32Array} scores
 * @param {Best} expected
 * @returns {{difference: number, passed: boolean}}
 */
export function judge(scores, expected) {
  const differences = expected.map(([index, score]) => Math.abs(scores[index] - score));
  // Where two classes are as good as tied, either may come first on another machine.
  const best = new Map(expected).get(firstBest(scores)) ?? 0;
  const close = differences.every((difference) => difference <= TOLERANCE); // false for NaN
  return { difference: Math.max(...differences), passed: close && best >= expected[0][1] - TOLERANCE };
}

/**
 * @param {string} picture
 * @param {Scorer} score
 * @param {Best | null} expected
 * @returns {Promise<Check>}
 */
async function checked(picture, score, expected) {
  let scores;
  try {
    scores = await score(picture);
  } catch (error) {
    return failed(picture, error, expected);
  }
  if (expected === null) {
    return { picture, passed: true, difference: null, expected, got: null, reason: "" };
  }
  const { difference, passed } = judge(scores, expected);
  /** @type {Best} */
  const got = expected.map(([index]) => [index, scores[index]]);
  const reason = passed ? "" : `its scores of ${picture} are ${difference.toFixed(3)} off`;
  return { picture, passed, difference, expected, got, reason };
}

/**
 * A picture without scores. Throws what is the fault of neither the build nor the model.
 * @param {string} picture
 * @param {unknown} error
 * @param {Best | null} expected
 * @returns {Check}
 */
function failed(picture, error, expected) {
  if (!(error instanceof WhatsitError)) throw error;
  const died = error.code === "runtime-unavailable";
  if (!died && !error.code.startsWith("model-")) throw error;
  // A model that nobody has recorded may be at fault itself: it is told with each picture.
  const passed = !died && expected === null;
  return { picture, passed, difference: null, expected, got: null, reason: error.message };
}

/**
 * @param {Float32Array} scores
 * @returns {number} the first index of the largest score
 */
function firstBest(scores) {
  return scores.reduce((best, score, index) => (score > scores[best] ? index : best), 0);
}
