/** What a camera or a video shows, in rows and words that stand still enough to be read. */

import { Live } from "./live.js";
import { Steady } from "./steady.js";
import { said } from "./verdict.js";
import { WORDS } from "./words.js";

const FACTS_MS = 500; // numbers that change faster cannot be read
const NOTED = 40; // answers after which their median is worth keeping

/** @typedef {import("./types.js").Answer} Answer */

export class Moving {
  /** @type {Steady|null} */
  #steady = null;
  #facts_ms = 0;

  /**
   * @param {Object} parts
   * @param {import("./types.js").App} parts.app
   * @param {import("./results.js").Results} parts.results
   * @param {() => object} parts.options Of Engine.classify.
   * @param {(answer: Answer) => void} parts.answered
   * @param {(line: string) => void} parts.say A few words over the picture.
   */
  constructor({ app, results, options, answered, say }) {
    this.app = app;
    this.results = results;
    this.answered = answered;
    this.say = say;
    const { stage, state } = app;
    this.live = new Live({ engine: () => app.engine, state, stage, options });
    this.live.addEventListener("answer", (event) => {
      this.#answer(/** @type {CustomEvent<Answer>} */ (event).detail);
    });
    this.live.addEventListener("error", (event) => {
      stage.pause(); // a picture that goes on without answers would be taken for a live one
      app.fail(/** @type {CustomEvent} */ (event).detail);
    });
    for (const key of ["smoothing", "threshold", "top"]) state.on(key, () => this.forget());
    app.models.addEventListener("use", () => {
      this.forget();
      this.live.stats.clear(); // its times are not those of the model before
    });
    stage.video.addEventListener("seeking", () => this.forget());
    stage.video.addEventListener("seeked", () => {
      if (stage.mode === "video" && stage.paused) this.once();
    });
  }

  start() {
    this.live.start();
  }

  stop() {
    this.live.stop();
  }

  /** What a video that stands shows now. */
  once() {
    void this.live.once();
  }

  /** What comes next has nothing to do with what was seen before. */
  forget() {
    this.#steady = null;
  }

  /** @param {Answer} answer */
  #answer(answer) {
    const { state, stage, engine } = this.app;
    const { scores, result } = answer;
    /** @type {import("./types.js").ModelFacts} */
    const { labels, name } = engine.model;
    if (!scores || scores.length !== labels.length) return; // of the model before
    const now_ms = performance.now();
    if (this.#steady?.labels !== labels) {
      this.#steady = new Steady({
        labels,
        time_s: Number.parseFloat(state.get("smoothing")) || 0,
        threshold: state.get("threshold"),
        most: state.get("top"),
      });
    }
    const { rows, said: told } = this.#steady.step(now_ms, scores, said(result));
    this.results.show(told, rows, 0);
    this.answered(answer);
    if (now_ms - this.#facts_ms > FACTS_MS || stage.paused) this.#facts(answer, now_ms);
    const { stats } = this.live;
    const median = stats.quantile(0.5);
    if (stats.count === NOTED && median !== null) this.app.models.noteMs(name, median);
  }

  /**
   * @param {Answer} answer
   * @param {number} now_ms
   */
  #facts(answer, now_ms) {
    const { stats } = this.live;
    this.#facts_ms = now_ms;
    this.results.facts.showAnswer({ answer, stats });
    if (this.app.stage.mode === "camera") this.say(WORDS.stage.fps(stats.fps));
  }
}
