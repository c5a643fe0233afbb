/** The worker's side of the engine: one model, and requests that are answered one by one. */

import { readBundle } from "../core/bundle.js";
import { WhatsitError } from "../core/errors.js";
import { repr } from "../core/repr.js";
import { answer as answerOf } from "../core/results.js";
import { place } from "../core/preprocess.js";
import { parseRule, ruleText } from "../core/rule.js";
import { judgeOf } from "../core/trust.js";
import { canDraw, imageOf, isFrame, look } from "./looking.js";
import { spreads } from "./measuring.js";
import { Runner, embeddingTap, isBroken } from "./runner.js";
import { sha256 } from "./sha256.js";

/** @typedef {import("../core/bundle.js").Bundle} Bundle */
/** @typedef {import("./messages.js").Answer} Answer */
/** @typedef {import("./messages.js").Looked} Looked */
/** @typedef {import("./messages.js").Query} Query */
/** @typedef {import("./messages.js").Request} Request */
/** @typedef {import("./messages.js").Shown} Shown */
/** @typedef {(value: unknown) => void} OnStep */

/**
 * Answers what the page asks, in order.
 * @param {any} liteRt what rt/litert.js defines
 * @param {Promise<void>} loading its wasm
 * @param {unknown[]} early what was asked before this was loaded
 */
export function serve(liteRt, loading, early) {
  const desk = new Desk(liteRt, loading);
  let last = Promise.resolve();
  /** @param {any} request */
  const take = (request) => {
    last = last.then(() => reply(desk, request));
  };
  early.forEach(take);
  self.onmessage = ({ data }) => take(data);
}

/**
 * @param {Desk} desk
 * @param {Request & {id: number}} request
 */
async function reply(desk, request) {
  const { id } = request;
  try {
    const value = await desk.answer(request, (step) => self.postMessage({ id, step }));
    self.postMessage({ id, value });
  } catch (error) {
    self.postMessage({ id, error: plain(error), fatal: isBroken(error) });
  } finally {
    if ("picture" in request && isFrame(request.picture)) request.picture.close();
  }
}

/**
 * An error as postMessage can carry it.
 * @param {unknown} error
 */
function plain(error) {
  if (error instanceof WhatsitError) return error.toJSON();
  const reason = error instanceof Error ? error.message : String(error);
  return new WhatsitError("model-failed", `the engine failed: ${reason}`).toJSON();
}

class Desk {
  #liteRt;
  #loading;
  #threads = 1;
  /** @type {{bundle: Bundle, runner: Runner, judge: import("../core/trust.js").Judge | null} | null} */
  #open = null;
  /** @type {{runner: Runner, map: import("../core/explain/feature_map.js").FeatureMap} | null} */
  #explaining = null; // opened when it is first asked for, since it takes as much memory again

  /**
   * @param {any} liteRt
   * @param {Promise<void>} loading
   */
  constructor(liteRt, loading) {
    this.#liteRt = liteRt;
    this.#loading = loading;
  }

  /**
   * @param {Request} request
   * @param {OnStep} onStep
   */
  answer(request, onStep) {
    switch (request.kind) {
      case "init":
        return this.#init(request);
      case "open":
        return this.#openModel(request.model);
      case "classify":
        return this.#classify(request, request.query);
      case "embed":
        return this.#embed(request, request.exact);
      case "explain":
        return this.#explain(request, request.asked);
      case "measure":
        return this.#measure(request, onStep);
    }
  }

  /** @param {import("./messages.js").Init} request */
  async #init({ threads }) {
    this.#threads = threads;
    await this.#loading;
    return { canDraw: canDraw() };
  }

  /** @param {import("./messages.js").WholeModel} source */
  async #openModel(source) {
    const { bytes } = source;
    const hash = await sha256(bytes);
    if (source.sha256 && source.sha256 !== hash) {
      const message = `model ${repr(source.name)} is not the file that was asked for`;
      throw new WhatsitError("model-damaged", message, {
        expected: `sha256 ${source.sha256}`,
        hint: "it was cut short or altered on its way: try again",
      });
    }
    const bundle = readBundle(bytes, source.name);
    const judge = judgeOf(bundle);
    const tensor = judge?.tensor ?? (await embeddingTensor(bundle));
    const runner = await this.#run(bundle, embeddingTap(bundle, tensor));
    this.#open?.runner.delete();
    this.#explaining?.runner.delete();
    this.#explaining = null;
    this.#open = { bundle, runner, judge };
    return factsOf(bundle, hash, judge !== null);
  }

  /**
   * @param {Bundle} bundle
   * @param {import("./runner.js").Tap | null} tap
   */
  #run(bundle, tap) {
    return Runner.open(this.#liteRt, bundle, tap, this.#threads);
  }

  #model() {
    if (this.#open !== null) return this.#open;
    throw new WhatsitError("wrong-usage", "no model is open", { expected: "open(…) before this" });
  }

  /**
   * @param {Shown} shown
   * @param {Query} query
   * @returns {Promise<Answer>}
   */
  async #classify(shown, query) {
    const start = performance.now();
    const { bundle } = this.#model();
    const looked = await this.#looked(shown, query.rule, query.exact);
    const answered = await this.#answered(looked, query);
    const { size, crop } = looked;
    const { decode, preprocess } = looked.timings;
    const { inference } = answered;
    const result = answered.result({ decode, preprocess, inference });
    const total = performance.now() - start;
    const post = total - (shown.looked === undefined ? decode + preprocess : 0) - inference;
    const timings = { decode, preprocess, inference, post, total };
    const { height, width } = bundle.input;
    /** @type {Answer} */
    const answer = { result, size, crop, inputSize: [width, height], timings };
    return query.all ? { ...answer, scores: answered.scores } : answer;
  }

  /**
   * The model's input of what is shown; the page has looked already where a worker cannot draw.
   * @param {Shown} shown
   * @param {string | null} rule
   * @param {boolean} exact
   * @returns {Promise<Looked>}
   */
  async #looked({ picture, looked }, rule, exact) {
    if (looked !== undefined) return looked;
    const { bundle } = this.#model();
    const { height, width } = bundle.input;
    return look(picture, rule ? parseRule(rule) : bundle.preprocess, [height, width], exact);
  }

  /**
   * @param {Looked} looked
   * @param {Query} query
   */
  async #answered({ pixels }, { top, threshold, coverage, acceptance, raw }) {
    const { bundle, runner, judge: standard } = this.#model();
    const asked = coverage !== undefined || acceptance !== undefined;
    const judge = asked ? judgeOf(bundle, { coverage, acceptance }) : standard;
    const before = performance.now();
    const { values, tapped: embedding } = await runner.run(pixels);
    const inference = performance.now() - before;
    const judgement = judge === null ? null : judge.judge(values, embedding);
    const scores = judgement === null || raw ? values : judgement.scores;
    /** @param {Record<string, number>} timings */
    const result = (timings) =>
      answerOf({ bundle, scores, judgement, top, threshold, timings });
    return { scores, result, inference };
  }

  /**
   * @param {Shown} shown
   * @param {boolean} exact
   * @returns {Promise<Float32Array>}
   */
  async #embed(shown, exact) {
    const { bundle, runner } = this.#model();
    if (!runner.taps) {
      throw new WhatsitError("model-unsupported", `model ${repr(bundle.name)} has no embedding`, {
        expected: "a classifier that ends in one layer and softmax",
      });
    }
    const { pixels } = await this.#looked(shown, null, exact);
    const { tapped } = await runner.run(pixels);
    return /** @type {Float32Array} */ (tapped);
  }

  /**
   * @param {Shown} shown
   * @param {import("./messages.js").Asked} asked
   * @returns {Promise<import("./messages.js").Explained>}
   */
  async #explain(shown, { target, versus, rule, exact }) {
    const { bundle } = this.#model();
    const { explanationOf, pairOf } = await import("../core/explain.js");
    const pair = pairOf(bundle.labels, { target, versus });
    const { runner, map } = await this.#explainer(bundle);
    const { pixels, size } = await this.#looked(shown, rule, exact);
    const { values, tapped } = await runner.run(pixels);
    const cells = /** @type {Float32Array} */ (tapped);
    const [width, height] = size;
    const ruled = rule ? parseRule(rule) : bundle.preprocess;
    const placement = place(ruled, [height, width], inputOf(bundle));
    return { ...explanationOf(bundle, map, { values, cells }, pair, placement), size };
  }

  /** @param {Bundle} bundle */
  async #explainer(bundle) {
    if (this.#explaining === null) {
      const { findFeatureMap } = await import("../core/explain/feature_map.js");
      const map = findFeatureMap(bundle);
      this.#explaining = { runner: await this.#run(bundle, map), map };
    }
    return this.#explaining;
  }

  /**
   * @param {import("./messages.js").Measure} request
   * @param {OnStep} onStep
   */
  async #measure({ picture, runs, warmup }, onStep) {
    const { bundle } = this.#model();
    const { width, height, data } = await imageOf(picture);
    const timings = [];
    /** @type {Query} */
    const query = { top: 5, threshold: 0, rule: null, raw: false, exact: true, all: false };
    for (let run = -warmup; run < runs; run += 1) {
      const start = performance.now();
      const looked = await look({ width, height, data }, bundle.preprocess, inputOf(bundle), true);
      const answered = await this.#answered(looked, query);
      answered.result({});
      const total = performance.now() - start;
      const { preprocess } = looked.timings;
      const { inference } = answered;
      const post = total - preprocess - inference;
      if (run >= 0) timings.push({ preprocess, inference, post, total });
      onStep({ done: run + warmup + 1, of: warmup + runs, total });
    }
    return { runs, stages: spreads(timings) };
  }
}

/**
 * @param {Bundle} bundle
 * @returns {[number, number]}
 */
function inputOf({ input }) {
  return [input.height, input.width];
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

/**
 * @param {Bundle} bundle
 * @param {string} hash
 * @param {boolean} calibrated
 */
function factsOf(bundle, hash, calibrated) {
  const accuracy = /** @type {any} */ (bundle.record).accuracy;
  return {
    name: bundle.name,
    bytes: bundle.bytes.length,
    sha256: hash,
    classes: bundle.output.classes,
    input: inputOf(bundle),
    rule: ruleText(bundle.preprocess),
    labels: [...bundle.labels.names],
    accuracy: Array.isArray(accuracy) ? accuracy : [],
    licence: bundle.metadata.license || null,
    calibrated,
    notes: [...bundle.notes],
    builtin: false, // the page knows what the site ships
  };
}
