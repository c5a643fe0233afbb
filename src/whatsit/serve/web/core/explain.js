/**
 * Why a picture was taken for a class, and not for another: whatsit.explain.
 *
 * The class activation map of a network that ends in a global mean and one layer is exact: its
 * mean, plus the bias, is the logit of the class. Nothing is estimated.
 */

import { WhatsitError } from "./errors.js";
import { repr } from "./repr.js";
import { topK } from "./results.js";
import { tempered, trustOf } from "./trust.js";

/** @typedef {import("./bundle.js").Bundle} Bundle */
/** @typedef {import("./labels.js").Labels} Labels */
/** @typedef {import("./preprocess.js").Placement} Placement */
/** @typedef {import("./explain/evidence.js").Cells} Cells */
/** @typedef {import("./explain/feature_map.js").FeatureMap} FeatureMap */
/**
 * One class: its score, a probability, and how the logit behind it comes about.
 * @typedef {{index: number, label: string, score: number, logit: number, bias: number}} Side
 */
/**
 * Why a picture was taken for `target`, and why not for `versus` (null for a single class).
 * `map` is what speaks for the target, cell by cell; `difference` what speaks for it rather than
 * for `versus`. `placement` says what of the picture the model saw.
 * @typedef {{model: string, target: Side, versus: Side | null, map: Cells,
 *   difference: Cells | null, placement: Placement, temperature: number}} Explanation
 */
/** @typedef {number | string | null} ClassKey an index, a display name or a WordNet id */
/** @typedef {{target: number | null, versus: number | null}} Pair */

/**
 * The classes that are asked for. Throws wrong-usage for what names no class, or one class twice.
 * @param {Labels} labels
 * @param {{target?: ClassKey, versus?: ClassKey}} asked
 * @returns {Pair}
 */
export function pairOf(labels, { target = null, versus = null }) {
  const pair = { target: classOf(labels, target), versus: classOf(labels, versus) };
  if (pair.target !== null && pair.target === pair.versus) {
    const name = repr(labels.names[pair.target]);
    throw new WhatsitError("wrong-usage", `the class ${name} against itself`, {
      expected: "two classes",
    });
  }
  return pair;
}

/**
 * The explanation of a picture that was run.
 * @param {Bundle} bundle
 * @param {FeatureMap} found
 * @param {{values: Float32Array, cells: Float32Array}} run the model's own scores, and its map
 * @param {Pair} pair
 * @param {Placement} placement
 * @returns {Explanation}
 */
export function explanationOf(bundle, found, { values, cells }, pair, placement) {
  const temperature = trustOf(bundle)?.temperature ?? 1;
  const scores = tempered(values, temperature);
  const best = topK(scores, 3); // one of them may be taken by each side
  const first = pair.target ?? best.find((index) => index !== pair.versus) ?? 0;
  const second = pair.versus ?? best.find((index) => index !== first) ?? null;
  const { height, width } = found;
  const map = { values: mapOf(found, cells, first), height, width };
  const other = second === null ? null : mapOf(found, cells, second);
  const difference = other && {
    values: map.values.map((value, i) => value - other[i]),
    height,
    width,
  };
  /** @type {(index: number, own: Float32Array) => Side} */
  const side = (index, own) => {
    const bias = found.layer.bias[index];
    const logit = own.reduce((sum, value) => sum + value, 0) / own.length + bias;
    return { index, label: bundle.labels.names[index], score: scores[index], logit, bias };
  };
  return {
    model: bundle.name,
    target: side(first, map.values),
    versus: second === null || other === null ? null : side(second, other),
    map,
    difference,
    placement,
    temperature,
  };
}

/**
 * What each cell says for a class.
 * @param {FeatureMap} found
 * @param {Float32Array} cells (h, w, D)
 * @param {number} index
 * @returns {Float32Array} (h, w)
 */
function mapOf({ height, width, depth, layer }, cells, index) {
  const row = layer.weights.subarray(index * depth, (index + 1) * depth);
  return Float32Array.from({ length: height * width }, (_, cell) => {
    let sum = 0;
    for (let d = 0; d < depth; d += 1) sum += cells[cell * depth + d] * row[d];
    return sum;
  });
}

/**
 * The one class that a key names.
 * @param {Labels} labels
 * @param {ClassKey} key
 * @returns {number | null}
 */
function classOf(labels, key) {
  if (key === null) return null;
  const { names, synsets } = labels;
  if (typeof key === "number") {
    if (Number.isInteger(key) && key >= 0 && key < names.length) return key;
    const expected = `an index from 0 to ${names.length - 1}`;
    throw new WhatsitError("wrong-usage", `no class ${key}`, { expected });
  }
  const text = key.trim();
  const small = text.toLowerCase();
  const ways = [names.indexOf(text), names.findIndex((name) => name.toLowerCase() === small)];
  const index = [...ways, synsets.indexOf(text)].find((place) => place >= 0);
  if (index !== undefined) return index;
  throw new WhatsitError("wrong-usage", `no class ${repr(text)}`, {
    expected: "an index, a display name or a WordNet id such as n02123045",
  });
}
