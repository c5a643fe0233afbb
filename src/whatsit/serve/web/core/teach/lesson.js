/**
 * From pictures' embeddings to a bundle that knows their classes. `whatsit.train.lesson` and
 * `making`, for a head alone, of which nothing is held out: what is told of its accuracy is that of
 * cross-validation.
 */

import { readBundle } from "../bundle.js";
import { WhatsitError } from "../errors.js";
import { repr } from "../repr.js";
import { sha256 } from "../sha256.js";
import { pathsOf } from "./archive.js";
import { fitFew } from "./few.js";
import { fitHead } from "./fit.js";
import { graft } from "./graft.js";
import { groupsOf } from "./groups.js";
import { findHead } from "./head.js";
import { checkedNames } from "./layer_checks.js";
import { argmax, layerLogits } from "./numbers.js";
import { trustOf } from "./trusting.js";

/** @typedef {import("../bundle.js").Bundle} Bundle */
/** @typedef {import("./fit.js").HeadFit} HeadFit */
/** @typedef {import("./fit.js").Taught} Taught */
/**
 * The pictures of a class: embeddings (N, D) in one list, the times at which they were taken in ms
 * (null for files), and their types for the names in an archive.
 * @typedef {{name: string, vectors: Float32Array, moments: (number | null)[], types: string[]}}
 *   Material
 */
/**
 * `right` of `judged` pictures were told by a head that had not seen them; `mixed` are pairs of
 * classes, the true one first.
 * @typedef {{right: number, judged: number, interval: [number, number],
 *   mixed: {truth: string, given: string, pictures: number}[]}} Estimate
 */
/**
 * `alike` are the classes whose pictures all look the same. `estimate` is null where nothing could
 * be judged, and the bundle is `calibrated` where so many were that it may say "unknown".
 * @typedef {{bytes: Uint8Array, layer: {weights: Float32Array, bias: Float32Array},
 *   estimate: Estimate | null, calibrated: boolean, alike: string[], rule: string,
 *   strength: number, seconds: number}} Lesson
 */

export const LEAST_PICTURES = 2; // of a class: with one, nothing can say whether it was learned
const FEW = 10; // pictures of most classes, below which the closed form learns better
const MOST_FEW = 400; // pictures for the closed form, whose work grows with their cube
const Z = 1.959963984540054; // of the two-sided 95 % of a normal distribution
const SEED = 0;

/**
 * A bundle named `name`, made of `parent`, for these classes.
 *
 * Throws wrong-usage and dataset-unusable for classes that cannot be taught, model-unsupported for
 * a parent that cannot.
 * @param {Bundle} parent
 * @param {Material[]} classes
 * @param {{name: string, progress?: (done: number, total: number) => void}} options
 * @returns {Promise<Lesson>}
 */
export async function teach(parent, classes, { name, progress }) {
  const start = performance.now();
  const names = checkedNames(classes.map((one) => one.name));
  const { width } = findHead(parent);
  const taught = joined(classes, width);
  const few = median(classes.map(({ moments }) => moments.length)) < FEW;
  const fit =
    few && taught.truth.length <= MOST_FEW ? fitFew(taught) : fitHead(taught, { progress });
  const logits = layerLogits(taught.vectors, fit.weights, fit.bias);
  const layer = { weights: fit.weights, bias: fit.bias, logits };
  const about = {
    name,
    labels: names,
    description: `${name}: ${names.length} classes, taught to ${parent.name}`,
  };
  const facts = { split: await split(classes, name), recipe: recipe(fit, classes, names) };
  const draft = readBundle(await graft(parent, layer, about), name);
  const trust = trustOf(taught, fit.outcome, {
    classes: names.length,
    tensor: findHead(draft).embedding,
    dataSet: `${name}, each held out in turn`,
  });
  const estimate = estimateOf(fit, names);
  const more = { ...facts, ...(trust && { trust }), ...quality(fit, estimate, name) };
  const bytes = await graft(parent, layer, { ...about, facts: more });
  return {
    bytes,
    layer: { weights: fit.weights, bias: fit.bias },
    estimate,
    calibrated: trust !== null,
    alike: names.filter((_, index) => isAlike(taught, index)),
    rule: fit.rule,
    strength: fit.strength,
    seconds: (performance.now() - start) / 1000,
  };
}

/**
 * @param {Material[]} classes
 * @param {number} width
 * @returns {Taught}
 */
function joined(classes, width) {
  const few = classes.find(({ moments }) => moments.length < LEAST_PICTURES);
  if (few !== undefined) {
    const count = `${few.moments.length} picture${few.moments.length === 1 ? "" : "s"}`;
    throw new WhatsitError("dataset-unusable", `the class ${repr(few.name)} has ${count}`, {
      expected: `at least ${LEAST_PICTURES} pictures of each class, better 20 or more`,
    });
  }
  const moments = classes.flatMap((one) => one.moments);
  const truth = classes.flatMap((one, index) => one.moments.map(() => index));
  const vectors = new Float32Array(truth.length * width);
  let at = 0;
  for (const { vectors: own } of classes) {
    if (at + own.length > vectors.length) break;
    vectors.set(own, at);
    at += own.length;
  }
  if (at !== vectors.length) {
    throw new WhatsitError("wrong-usage", `${at} values for ${truth.length} pictures`, {
      expected: `${width} of each`,
    });
  }
  return { vectors, width, truth, groups: groupsOf(vectors, width, moments) };
}

/**
 * Whether all pictures of a class look the same.
 * @param {Taught} taught
 * @param {number} index
 */
function isAlike({ truth, groups }, index) {
  const own = truth.flatMap((each, row) => (each === index && groups ? [groups[row]] : []));
  return new Set(own).size === 1;
}

/** @param {number[]} values */
function median(values) {
  const ordered = [...values].sort((a, b) => a - b);
  const middle = Math.floor(ordered.length / 2);
  return ordered.length % 2 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
}

/**
 * @param {HeadFit} fit
 * @param {string[]} names
 * @returns {Estimate | null}
 */
function estimateOf(fit, names) {
  const score = fit.scores.find(({ strength }) => strength === fit.strength);
  if (score === undefined || fit.outcome === null) return null;
  const right = Math.round(score.accuracy * fit.judged);
  const { truth, logits } = fit.outcome;
  /** @type {Map<string, {truth: string, given: string, pictures: number}>} */
  const mixed = new Map();
  truth.forEach((index, i) => {
    const given = argmax(logits.subarray(i * names.length, (i + 1) * names.length));
    if (given === index) return;
    const key = `${index}.${given}`;
    const pictures = (mixed.get(key)?.pictures ?? 0) + 1;
    mixed.set(key, { truth: names[index], given: names[given], pictures });
  });
  return {
    right,
    judged: fit.judged,
    interval: wilson(right, fit.judged),
    mixed: [...mixed.values()].sort((a, b) => b.pictures - a.pictures),
  };
}

/**
 * Wilson's 95 % score interval of a share. E. B. Wilson, Journal of the American Statistical
 * Association 22 (1927), 209-212.
 * @param {number} hits
 * @param {number} total
 * @returns {[number, number]}
 */
function wilson(hits, total) {
  const [share, square] = [hits / total, Z * Z / total];
  const middle = (share + square / 2) / (1 + square);
  const spread = (share * (1 - share)) / total + square / (4 * total);
  const reach = (Z / (1 + square)) * Math.sqrt(spread);
  return [hits === 0 ? 0 : middle - reach, hits === total ? 1 : middle + reach];
}

/**
 * @param {HeadFit} fit
 * @param {Material[]} classes
 * @param {string[]} names
 */
function recipe(fit, classes, names) {
  const score = fit.scores.find(({ strength }) => strength === fit.strength);
  return {
    method: "head",
    rule: fit.rule,
    strength: fit.strength,
    chosen_on: fit.judged,
    log_loss: score === undefined ? null : Number(score.loss.toFixed(4)),
    pictures: Object.fromEntries(names.map((name, i) => [name, classes[i].moments.length])),
    taught_in: "browser",
  };
}

/**
 * For the record: the accuracy of cross-validation, and that it is one.
 * @param {HeadFit} fit
 * @param {Estimate | null} estimate
 * @param {string} name
 */
function quality(fit, estimate, name) {
  if (estimate === null) return {};
  const how =
    fit.rule === "logistic"
      ? "cross-validation of the pictures learned from"
      : "each picture left out in turn";
  const percent = (/** @type {number} */ share) => Number((100 * share).toFixed(2));
  const row = {
    data_set: `${name}, ${how}`,
    pictures: estimate.judged,
    top1: percent(estimate.right / estimate.judged),
    top1_interval: estimate.interval.map(percent),
  };
  return { accuracy: [row] };
}

/**
 * What the bundle says of its pictures: the list of those in the archive, by its hash.
 * @param {Material[]} classes
 * @param {string} name
 */
async function split(classes, name) {
  const filed = classes.map((one) => ({
    name: one.name,
    pictures: one.types.map((type) => ({ type })),
  }));
  const lines = pathsOf(filed).flatMap((paths, i) =>
    paths.map((path) => `${path}\0${classes[i].name.trim()}\n`),
  );
  const listed = async (/** @type {string[]} */ rows) => ({
    pictures: rows.length,
    sha256: await sha256(new TextEncoder().encode(rows.sort().join(""))),
  });
  return {
    seed: SEED,
    data_set: name,
    held_out_of: name,
    train: await listed(lines),
    test: await listed([]),
  };
}
