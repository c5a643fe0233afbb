/** One picture and the answer to it, given anew where the model or a rule changes. */

import { said } from "./verdict.js";

/** @typedef {import("./types.js").Answer} Answer */

export class Still {
  /** @type {Blob|null} */
  blob = null;
  /** @type {Answer|null} */
  answer = null;
  /** What is told of it over the picture. */
  line = "";
  #call = 0;

  /**
   * @param {Object} parts
   * @param {import("./types.js").App} parts.app
   * @param {import("./results.js").Results} parts.results
   * @param {() => object} parts.options Of Engine.classify.
   * @param {() => void} parts.answered
   * @param {(error: unknown, blob: Blob) => void} parts.failed
   */
  constructor({ app, results, options, answered, failed }) {
    this.app = app;
    this.results = results;
    this.options = options;
    this.answered = answered;
    this.failed = failed;
  }

  /**
   * Another picture, in the place of the one before.
   *
   * @param {Blob} blob
   * @param {string} line
   * @param {Answer|null} [answer] Where it has one.
   */
  async take(blob, line, answer = null) {
    this.forget();
    Object.assign(this, { blob, line, answer });
    if (answer) this.draw();
    else await this.again();
  }

  /** Answers it anew. Of several calls, only what the last one gives is shown. */
  async again() {
    const { blob } = this;
    const call = ++this.#call;
    if (!blob) return;
    try {
      const engine = await this.app.ready;
      if (call !== this.#call) return; // asked again before there was an engine
      const answer = await engine.classify(blob, this.options());
      if (call !== this.#call) return;
      this.answer = answer;
      this.draw();
    } catch (error) {
      if (call === this.#call) this.failed(error, blob);
    }
  }

  /** Shows the answer that is there, with the threshold as it is now. */
  draw() {
    const { answer } = this;
    if (!answer) return;
    const threshold = this.app.state.get("threshold");
    const rows = answer.result.predictions.filter(({ score }) => score >= threshold);
    this.results.show(said(answer.result), rows, 1);
    this.results.facts.showAnswer({ answer, stats: null });
    this.answered();
  }

  /** What is under way for it then comes to nothing. */
  forget() {
    this.#call++;
    this.blob = null;
    this.answer = null;
    this.line = "";
  }
}
