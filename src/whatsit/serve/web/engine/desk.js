/** What the worker answers to each kind of request, with the model that is open in it. */

import { WhatsitError } from "../core/errors.js";
import { place } from "../core/preprocess.js";
import { repr } from "../core/repr.js";
import { answer as answerOf } from "../core/results.js";
import { parseRule } from "../core/rule.js";
import { canDraw, imageOf, look } from "./looking.js";
import { spreads } from "./measuring.js";
import { OpenModel } from "./open_model.js";

/** @typedef {import("./messages.js").Answer} Answer */
/** @typedef {import("./messages.js").Looked} Looked */
/** @typedef {import("./messages.js").Query} Query */
/** @typedef {import("./messages.js").Request} Request */
/** @typedef {import("./messages.js").Shown} Shown */
/** @typedef {(value: unknown) => void} OnStep */

/** @type {Query} */
const USUAL = { top: 5, threshold: 0, rule: null, raw: false, exact: true, all: false };

export class Desk {
  #liteRt;
  #loading;
  #threads = 1;
  /** @type {OpenModel | null} */
  #open = null;

  /**
   * @param {any} liteRt what rt/litert.js defines
   * @param {Promise<void>} loading its wasm
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
    const model = await OpenModel.open(this.#liteRt, source, this.#threads);
    this.#open?.delete();
    this.#open = model;
    return model.facts;
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
    const [height, width] = this.#model().shape;
    const looked = await this.#looked(shown, query.rule, query.exact);
    const answered = await this.#answered(looked, query);
    const { size, crop } = looked;
    const { decode, preprocess } = looked.timings;
    const { inference } = answered;
    const result = answered.result({ decode, preprocess, inference });
    const total = performance.now() - start;
    const post = total - (shown.looked === undefined ? decode + preprocess : 0) - inference;
    const timings = { decode, preprocess, inference, post, total };
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
    const { bundle, shape } = this.#model();
    if (looked === undefined) {
      return look(picture, rule ? parseRule(rule) : bundle.preprocess, shape, exact);
    }
    if (looked.pixels.length === shape[0] * shape[1] * 3) return looked;
    // The page looked with the eyes of the model before.
    throw new WhatsitError("wrong-usage", "another model was opened before this picture's turn", {
      hint: "ask again",
    });
  }

  /**
   * @param {Looked} looked
   * @param {Query} query
   */
  async #answered({ pixels }, { top, threshold, coverage, acceptance, raw }) {
    const model = this.#model();
    const { bundle } = model;
    const judge = model.judgeFor({ coverage, acceptance });
    const before = performance.now();
    const { values, tapped: embedding } = await model.runner.run(pixels);
    const inference = performance.now() - before;
    const judgement = judge === null ? null : judge.judge(values, embedding);
    const scores = judgement === null || raw ? values : judgement.scores;
    /** @param {Record<string, number>} timings */
    const result = (timings) => answerOf({ bundle, scores, judgement, top, threshold, timings });
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
    const model = this.#model();
    const { bundle, shape } = model;
    const { explanationOf, pairOf } = await import("../core/explain.js");
    const pair = pairOf(bundle.labels, { target, versus });
    const { runner, map } = await model.explainer();
    const { pixels, size } = await this.#looked(shown, rule, exact);
    const { values, tapped } = await runner.run(pixels);
    const cells = /** @type {Float32Array} */ (tapped);
    const [width, height] = size;
    const ruled = rule ? parseRule(rule) : bundle.preprocess;
    const placement = place(ruled, [height, width], shape);
    return { ...explanationOf(bundle, map, { values, cells }, pair, placement), size };
  }

  /**
   * @param {import("./messages.js").Measure} request
   * @param {OnStep} onStep
   */
  async #measure({ picture, runs, warmup }, onStep) {
    const { bundle, shape } = this.#model();
    const { width, height, data } = await imageOf(picture);
    const timings = [];
    for (let run = -warmup; run < runs; run += 1) {
      const start = performance.now();
      const looked = await look({ width, height, data }, bundle.preprocess, shape, true);
      const answered = await this.#answered(looked, USUAL);
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
