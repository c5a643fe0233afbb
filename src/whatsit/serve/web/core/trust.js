/**
 * How far an answer can be trusted, by a bundle's own calibration: whatsit.trust. Its parts are in
 * trust/: the record, sets of classes, wider terms, and whether a picture is known at all.
 */

import { WhatsitError } from "./errors.js";
import { repr } from "./repr.js";
import { topK } from "./results.js";
import { limitOf, logarithms, nearnessOf } from "./trust/known.js";
import { Misread, readTrust } from "./trust/record.js";
import * as sets from "./trust/sets.js";
import * as tree from "./trust/tree.js";

/** @typedef {import("./bundle.js").Bundle} Bundle */
/** @typedef {import("./labels.js").Labels} Labels */
/** @typedef {import("./results.js").Ancestor} Ancestor */
/** @typedef {import("./trust/record.js").Trust} Trust */
/**
 * Of one picture: calibrated scores, the classes `likely`, best first, one of which is the truth;
 * is it `known`? `broader` and `probably` are null where there is one class, or no tree.
 * @typedef {{scores: Float32Array, likely: number[], known: boolean, broader: Ancestor | null,
 *   probably: Ancestor | null}} Judgement
 */

const RECORD = "trust"; // the key in whatsit.json
export const COVERAGE = 0.9; // how often a set is to hold the truth, if nobody says otherwise
export const ACCEPTANCE = 0.95; // of known pictures, the share that must not be unknown, likewise
const FEW = 16; // classes: hardly a set has more

/**
 * What judges a bundle's pictures; null for one that was never calibrated.
 *
 * Throws wrong-usage unless both shares are between 0 and 1, model-damaged for a record that
 * cannot be.
 * @param {Bundle} bundle
 * @param {{coverage?: number, acceptance?: number}} [shares]
 * @returns {Judge | null}
 */
export function judgeOf(bundle, { coverage = COVERAGE, acceptance = ACCEPTANCE } = {}) {
  checkShare("a coverage", coverage);
  checkShare("an acceptance", acceptance);
  const trust = trustOf(bundle);
  return trust === null ? null : new Judge(trust, bundle.labels, coverage, acceptance);
}

/**
 * What a bundle knows of its own reliability, null for one that was never calibrated. Throws
 * model-damaged for a record that cannot be.
 * @param {Bundle} bundle
 * @returns {Trust | null}
 */
export function trustOf(bundle) {
  const value = bundle.record[RECORD] ?? null;
  if (value === null) return null;
  try {
    return readTrust(value, bundle.labels.names.length);
  } catch (error) {
    if (!(error instanceof Misread)) throw error;
    const what = `what it says of its calibration cannot be read: ${error.message}`;
    throw new WhatsitError("model-damaged", `model ${repr(bundle.name)}: ${what}`, {
      hint: "`whatsit calibrate` measures it again",
    });
  }
}

/** Judges pictures by a bundle's own calibration, at a stated coverage and acceptance. */
export class Judge {
  /**
   * @param {Trust} trust
   * @param {Labels} labels
   * @param {number} coverage
   * @param {number} acceptance
   */
  constructor(trust, labels, coverage, acceptance) {
    this.trust = trust;
    this.labels = labels;
    this.setLimit = sets.limit(trust.places, coverage);
    // Never below what is asked for: an ancestor's own score is then at least the share that it
    // stands for.
    this.treeLimit = Math.max(coverage, sets.limit(trust.misled, coverage));
    this.knownLimit = limitOf(trust.known, acceptance);
  }

  /** The tensor with the embedding, for a rule that needs it. */
  get tensor() {
    return this.trust.known.prototypes?.tensor ?? null;
  }

  /**
   * What the model's own scores, of all classes, say.
   * @param {Float32Array} scores
   * @param {Float32Array | null} embedding
   * @returns {Judgement}
   */
  judge(scores, embedding) {
    const { known, temperature } = this.trust;
    const calibrated = tempered(scores, temperature);
    const near = nearnessOf(known, scores, embedding);
    const likely = this.likely(calibrated);
    const above =
      likely.length === 1 ? { broader: null, probably: null } : this.inTree(calibrated);
    return { scores: calibrated, likely, known: near >= this.knownLimit, ...above };
  }

  /**
   * The classes of the set, best first. To sort all of them would take longer.
   * @param {Float32Array} scores
   * @returns {number[]}
   */
  likely(scores) {
    let order = topK(scores, FEW);
    let count = sets.size(Float32Array.from(order, (index) => scores[index]), this.setLimit);
    if (count === order.length && count < scores.length) {
      order = topK(scores, scores.length);
      count = sets.size(Float32Array.from(order, (index) => scores[index]), this.setLimit);
    }
    return order.slice(0, count);
  }

  /**
   * The deepest step that is as likely as asked for, and a deeper one that is likely.
   * @param {Float32Array} calibrated
   * @returns {{broader: Ancestor | null, probably: Ancestor | null}}
   */
  inTree(calibrated) {
    const { labels } = this;
    const steps = tree.wayUp(labels, calibrated);
    const broad = tree.deepest(steps, this.treeLimit);
    const probable = tree.deepest(steps, tree.PROBABLY);
    if (broad === null || probable === null) return { broader: null, probably: null };
    const deeper = probable.depth > broad.depth && tree.tells(labels, probable);
    return {
      broader: tree.tells(labels, broad) ? tree.named(labels, broad) : null,
      probably: deeper ? tree.named(labels, probable) : null,
    };
  }
}

/**
 * Scores whose logits are divided by the temperature.
 * @param {Float32Array} scores
 * @param {number} temperature
 * @returns {Float32Array}
 */
export function tempered(scores, temperature) {
  if (temperature === 1) return scores;
  const powers = logarithms(scores).map((logit) => Math.exp(logit / temperature));
  const sum = powers.reduce((total, power) => total + power, 0);
  return Float32Array.from(powers, (power) => power / sum);
}

/**
 * @param {string} name
 * @param {number} share
 */
function checkShare(name, share) {
  if (share > 0 && share < 1) return;
  throw new WhatsitError("wrong-usage", `${name} of ${repr(share)}`, {
    expected: "a share between 0 and 1, such as 0.9",
  });
}
