/**
 * Tries what was taught on the camera, at once: the backbone's embedding of each frame, the new
 * layer, and the judgement of the bundle that was made.
 */

import { readBundle } from "../../core/bundle.js";
import { answer } from "../../core/results.js";
import { logShares } from "../../core/teach/numbers.js";
import { judgeOf } from "../../core/trust.js";
import { Announcer } from "../announce.js";
import { attribute, h, write } from "../dom.js";
import { Rows } from "../rows.js";
import { Steady } from "../steady.js";
import { said, sentence } from "../verdict.js";
import { TEACH } from "./words.js";

const MOST_ROWS = 3;
const STEADY_S = 0.5;
const THRESHOLD = 0.02;

/** @typedef {import("../types.js").App} App */
/** @typedef {import("../../core/teach/lesson.js").Lesson} Lesson */

export class Trial {
  #run = 0;
  /** @type {{lesson: Lesson, bundle: import("../../core/bundle.js").Bundle,
   *   judge: import("../../core/trust.js").Judge | null, steady: Steady} | null} */
  #taught = null;

  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.rows = new Rows(MOST_ROWS);
    this.headline = h("p", { class: "headline" });
    this.detail = h("p", { class: "detail" });
    const live = h("div", { class: "heard", "aria-live": "polite", role: "status" });
    this.announcer = new Announcer(live);
    const verdict = h("div", { class: "verdict" }, this.headline, this.detail);
    this.element = h("div", { class: "teach-trial" }, verdict, this.rows.element, live);
  }

  /** @param {Lesson} lesson */
  use(lesson) {
    const bundle = readBundle(lesson.bytes, "trial");
    const { names } = bundle.labels;
    this.rows.resize(Math.min(MOST_ROWS, names.length));
    this.#taught = { lesson, bundle, judge: judgeOf(bundle), steady: steadyOf(names) };
    this.wait();
  }

  /** Nothing is looked at. */
  wait() {
    attribute(this.element, "data-kind", "none");
    write(this.headline, TEACH.tryIt);
    write(this.detail, TEACH.tryHint);
    this.rows.show([]);
  }

  /** Looks at the camera until it is stopped. */
  start() {
    if (this.#taught === null || this.#run % 2 === 1) return;
    this.#run++;
    void this.#look(this.#run);
  }

  stop() {
    if (this.#run % 2 === 1) this.#run++;
  }

  /**
   * One picture, with no memory of the last ones.
   * @param {Blob} blob
   */
  async picture(blob) {
    const taught = this.#taught;
    if (taught === null) return;
    const embedding = await this.app.engine.embed(blob);
    const { result } = this.#answer(embedding);
    taught.steady = steadyOf(taught.bundle.labels.names);
    const rows = result.predictions.map(({ label, score }) => ({ label, score }));
    this.#show(said(result), rows, 1);
  }

  /** @param {number} run */
  async #look(run) {
    const { stage } = this.app;
    while (run === this.#run) {
      await frame();
      if (stage.mode !== "camera" || stage.paused || stage.video.readyState < 2) continue;
      try {
        const embedding = await this.app.engine.embed(await stage.take(), { exact: false });
        if (run === this.#run) this.#step(embedding);
      } catch (error) {
        if (run !== this.#run) return;
        this.stop();
        this.app.fail(error);
      }
    }
  }

  /** @param {Float32Array} embedding */
  #step(embedding) {
    if (this.#taught === null) return;
    const { scores, result } = this.#answer(embedding);
    const { steady } = this.#taught;
    const { rows, said: told } = steady.step(performance.now(), scores, said(result));
    this.#show(told, rows, 0);
  }

  /** @param {Float32Array} embedding */
  #answer(embedding) {
    if (this.#taught === null) throw new Error("nothing was taught");
    const { lesson, bundle, judge } = this.#taught;
    const { weights, bias } = lesson.layer;
    const [classes, width] = [bias.length, embedding.length];
    const logits = Float64Array.from(bias, (value, c) => {
      for (let d = 0; d < width; d++) value += embedding[d] * weights[c * width + d];
      return value;
    });
    const given = Float32Array.from(logShares(logits, classes), Math.exp);
    const judgement = judge?.judge(given, embedding) ?? null;
    const scores = judgement?.scores ?? given;
    return { scores, result: answer({ bundle, scores, judgement, top: MOST_ROWS, timings: {} }) };
  }

  /**
   * @param {import("../verdict.js").Said} told
   * @param {import("../rows.js").Row[]} rows
   * @param {number} digits
   */
  #show(told, rows, digits) {
    attribute(this.element, "data-kind", told.kind);
    write(this.headline, told.headline);
    write(this.detail, told.detail);
    this.rows.show(rows, digits);
    this.announcer.say(sentence(told));
  }
}

/** @param {string[]} labels */
function steadyOf(labels) {
  return new Steady({ labels, time_s: STEADY_S, threshold: THRESHOLD, most: MOST_ROWS });
}

/** @returns {Promise<unknown>} */
function frame() {
  return new Promise((resolve) => requestAnimationFrame(resolve));
}
