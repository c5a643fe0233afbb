/** Does a picture show anything that the model was taught? As whatsit.trust.known tells. */

import { WhatsitError } from "../errors.js";

/** @typedef {"peak" | "prototypes" | "score"} RuleName */
/**
 * The mean direction of each class's embeddings, `width` values each, and their lengths; `tensor`
 * is the index of the embedding in the bundle's graph.
 * @typedef {{rows: Int8Array, lengths: Float64Array, width: number, tensor: number}} Prototypes
 */
/**
 * How pictures of the taught classes score, rising; a new one far below them is unknown.
 * @typedef {{rule: RuleName, scores: Float64Array, prototypes: Prototypes | null}} Known
 */

const LEAST_SCORE = 1e-12; // below it logarithms are of rounding
const LEAST_LENGTH = 1e-12; // zeros stay
const LEAST_SPREAD = 1e-9;
const SLACK = 1e-9; // of ranks

/**
 * Prototypes of rows as int8.
 * @param {Int8Array} rows
 * @param {number} width
 * @param {number} tensor
 * @returns {Prototypes}
 */
export function prototypesOf(rows, width, tensor) {
  const lengths = new Float64Array(rows.length / width);
  for (let c = 0; c < lengths.length; c += 1) {
    lengths[c] = lengthOf(rows.subarray(c * width, (c + 1) * width));
  }
  return { rows, lengths, width, tensor };
}

/**
 * How known a picture looks. Throws model-damaged for an embedding of another size.
 * @param {Known} known
 * @param {Float32Array} scores the model's own
 * @param {Float32Array | null} embedding
 * @returns {number}
 */
export function nearnessOf({ rule, prototypes }, scores, embedding) {
  if (prototypes === null) {
    if (rule === "peak") return peak(logarithms(scores));
    return scores.reduce((most, score) => Math.max(most, score), -Infinity);
  }
  const size = embedding?.length ?? 0;
  if (embedding === null || size !== prototypes.width) {
    throw new WhatsitError("model-damaged", `its embedding has ${size} values`, {
      expected: `${prototypes.width}, as its record says`,
    });
  }
  return nearest(prototypes, embedding);
}

/**
 * The score below which a picture is unknown, so that `acceptance` of the known are not.
 * @param {Known} known
 * @param {number} acceptance
 * @returns {number}
 */
export function limitOf({ scores }, acceptance) {
  const count = scores.length;
  const rank = Math.min(count, Math.floor((count + 1) * (1 - acceptance) + SLACK));
  return rank > 0 ? scores[rank - 1] : -Infinity;
}

/**
 * Of scores: the logits but for a constant, which does not count here.
 * @param {Float32Array} scores
 * @returns {Float64Array}
 */
export function logarithms(scores) {
  return Float64Array.from(scores, (score) => Math.log(Math.max(score, LEAST_SCORE)));
}

/**
 * How far the two best of the logits stand out from all, in their standard deviations.
 * @param {Float64Array} logits
 * @returns {number}
 */
function peak(logits) {
  const count = logits.length;
  const mean = logits.reduce((sum, logit) => sum + logit, 0) / count;
  let [squares, first, second] = [0, -Infinity, -Infinity];
  for (const logit of logits) {
    const apart = logit - mean;
    squares += apart * apart;
    if (apart > first) [first, second] = [apart, first];
    else if (apart > second) second = apart;
  }
  return (first + second) / 2 / Math.max(Math.sqrt(squares / count), LEAST_SPREAD);
}

/**
 * The cosine of an embedding with the nearest class mean.
 * @param {Prototypes} prototypes
 * @param {Float32Array} embedding
 * @returns {number}
 */
function nearest({ rows, lengths, width }, embedding) {
  const length = lengthOf(embedding);
  let most = -Infinity;
  for (let c = 0; c < lengths.length; c += 1) {
    const start = c * width;
    let sum = 0;
    for (let i = 0; i < width; i += 1) sum += rows[start + i] * embedding[i];
    most = Math.max(most, sum / length / lengths[c]);
  }
  return most;
}

/**
 * @param {Int8Array | Float32Array} vector
 * @returns {number}
 */
function lengthOf(vector) {
  let squares = 0;
  for (const value of vector) squares += value * value;
  return Math.max(Math.sqrt(squares), LEAST_LENGTH);
}
