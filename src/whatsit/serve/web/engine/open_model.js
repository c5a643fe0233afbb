/** A model that is open in the worker, with all that its answers need. */

import { readBundle } from "../core/bundle.js";
import { WhatsitError } from "../core/errors.js";
import { repr } from "../core/repr.js";
import { ruleText } from "../core/rule.js";
import { sha256 } from "../core/sha256.js";
import { judgeOf } from "../core/trust.js";
import { Runner, embeddingTap } from "./runner.js";

/** @typedef {import("../core/bundle.js").Bundle} Bundle */
/** @typedef {import("../core/explain/feature_map.js").FeatureMap} FeatureMap */
/** @typedef {import("../core/trust.js").Judge} Judge */
/** @typedef {import("./messages.js").ModelFacts} ModelFacts */
/** @typedef {import("./messages.js").WholeModel} WholeModel */
/** @typedef {{runner: Runner, map: FeatureMap}} Explainer */

export class OpenModel {
  #run;
  #hash;
  #judge;
  /** @type {Explainer | null} */
  #explainer = null; // opened when it is first asked for, since it takes as much memory again

  /**
   * @param {Bundle} bundle
   * @param {{hash: string, judge: Judge | null, runner: Runner,
   *   run: (tap: import("./runner.js").Tap) => Promise<Runner>}} parts `run` opens it once more
   */
  constructor(bundle, { hash, judge, runner, run }) {
    this.bundle = bundle;
    this.runner = runner;
    this.#hash = hash;
    this.#judge = judge;
    this.#run = run;
  }

  /**
   * A model that has run once. Throws model-damaged and the like.
   * @param {any} liteRt what rt/litert.js defines, loaded
   * @param {WholeModel} source
   * @param {number} threads
   * @returns {Promise<OpenModel>}
   */
  static async open(liteRt, source, threads) {
    const hash = await checkedHash(source);
    const bundle = readBundle(source.bytes, source.name);
    const judge = judgeOf(bundle);
    const tensor = judge?.tensor ?? (await embeddingTensor(bundle));
    const run = (/** @type {import("./runner.js").Tap | null} */ tap) =>
      Runner.open(liteRt, bundle, tap, threads);
    const runner = await run(embeddingTap(bundle, tensor));
    return new OpenModel(bundle, { hash, judge, runner, run });
  }

  /** Of its input, height first. @returns {[number, number]} */
  get shape() {
    const { height, width } = this.bundle.input;
    return [height, width];
  }

  /** @returns {ModelFacts} */
  get facts() {
    const { bundle } = this;
    const accuracy = /** @type {any} */ (bundle.record).accuracy;
    return {
      name: bundle.name,
      bytes: bundle.bytes.length,
      sha256: this.#hash,
      classes: bundle.output.classes,
      input: this.shape,
      rule: ruleText(bundle.preprocess),
      labels: [...bundle.labels.names],
      accuracy: Array.isArray(accuracy) ? accuracy : [],
      licence: bundle.metadata.license || null,
      calibrated: this.#judge !== null,
      notes: [...bundle.notes],
      builtin: false, // the page knows what the site ships
    };
  }

  /**
   * What says how far an answer can be trusted; null for a model that was never calibrated.
   * @param {{coverage?: number, acceptance?: number}} asked
   * @returns {Judge | null}
   */
  judgeFor({ coverage, acceptance }) {
    const standard = coverage === undefined && acceptance === undefined;
    return standard ? this.#judge : judgeOf(this.bundle, { coverage, acceptance });
  }

  /** What it says why with. Throws model-unsupported. @returns {Promise<Explainer>} */
  async explainer() {
    if (this.#explainer === null) {
      const { findFeatureMap } = await import("../core/explain/feature_map.js");
      const map = findFeatureMap(this.bundle);
      this.#explainer = { runner: await this.#run(map), map };
    }
    return this.#explainer;
  }

  delete() {
    this.runner.delete();
    this.#explainer?.runner.delete();
  }
}

/**
 * The sha256 of a model. Throws model-damaged if it is not the one that was asked for.
 * @param {WholeModel} source
 * @returns {Promise<string>}
 */
async function checkedHash({ name, bytes, sha256: wanted }) {
  const hash = await sha256(bytes);
  if (!wanted || wanted === hash) return hash;
  const message = `model ${repr(name)} is not the file that was asked for`;
  throw new WhatsitError("model-damaged", message, {
    expected: `sha256 ${wanted}`,
    hint: "it was cut short or altered on its way: try again",
  });
}

/**
 * The embedding of a model that was never calibrated, looked for; null if it has none.
 * @param {Bundle} bundle
 * @returns {Promise<number | null>}
 */
async function embeddingTensor(bundle) {
  const { findHead } = await import("../core/teach/head.js");
  try {
    return findHead(bundle).embedding;
  } catch (error) {
    if (error instanceof WhatsitError) return null;
    throw error;
  }
}
