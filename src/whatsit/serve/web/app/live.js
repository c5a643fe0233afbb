/**
 * The loop over a video's frames: the newest one goes to the model, one at a time; those that come
 * meanwhile are left out and counted. Events: `answer` (detail: Answer), `error`.
 */

import { Stats } from "./stats.js";

const PATIENCE = 3; // frames that may fail before it is told

/** @typedef {import("./types.js").Answer} Answer */

export class Live extends EventTarget {
  stats = new Stats();
  #run = 0;
  #busy = false;
  #again = false;
  #failed = 0;

  /**
   * @param {{engine: () => any, state: import("./state.js").State,
   *   stage: import("./stage.js").Stage, options: () => object}} parts `options`: of
   *   Engine.classify, as they are now.
   */
  constructor({ engine, state, stage, options }) {
    super();
    this.engine = engine;
    this.state = state;
    this.stage = stage;
    this.options = options;
  }

  get running() {
    return this.#run % 2 === 1;
  }

  start() {
    if (this.running) return;
    this.#run++;
    this.#failed = 0;
    this.stats.clear();
    this.#follow(this.#run);
  }

  stop() {
    if (this.running) this.#run++;
  }

  /** What the video shows now, once: after a jump in a video that stands. */
  async once() {
    if (!this.stage.video.videoWidth) return;
    this.#again = this.#busy; // the one at work looks at what was shown before
    if (!this.#busy) await this.#classify(this.#run);
  }

  /** @param {number} run */
  #follow(run) {
    const video = this.stage.video;
    let next_ms = 0;
    let presented = 0;
    const frame = (/** @type {number} */ now_ms, /** @type {{presentedFrames?: number}} */ facts) => {
      if (run !== this.#run) return;
      this.#onNextFrame(video, frame);
      const count = facts.presentedFrames ?? presented + 1;
      this.stats.frame(presented ? Math.max(1, count - presented) : 1);
      presented = count;
      if (this.#busy || now_ms < next_ms || video.readyState < 2 || video.paused) return;
      next_ms = now_ms + this.state.get("interval");
      this.stats.taken();
      void this.#classify(run);
    };
    this.#onNextFrame(video, frame);
  }

  /**
   * @param {HTMLVideoElement} video
   * @param {(now_ms: number, facts: {presentedFrames?: number}) => void} call
   */
  #onNextFrame(video, call) {
    if ("requestVideoFrameCallback" in video) {
      video.requestVideoFrameCallback(call);
      return;
    }
    let time = -1;
    const look = (/** @type {number} */ now_ms) => {
      const other = /** @type {HTMLVideoElement} */ (video);
      if (time === -1) time = other.currentTime;
      if (other.currentTime !== time || other.paused) call(now_ms, {});
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }

  /** @param {number} run */
  async #classify(run) {
    this.#busy = true;
    const begun_ms = performance.now();
    try {
      const source = await this.stage.take();
      const captured_ms = performance.now();
      /** @type {Answer} */
      const answer = await this.engine().classify(source, {
        ...this.options(),
        all: true,
        exact: false,
      });
      if (run !== this.#run) return;
      const now_ms = performance.now();
      const timings = { ...answer.timings };
      timings.capture = (timings.capture ?? 0) + captured_ms - begun_ms;
      timings.total = now_ms - begun_ms; // with both ways to the worker: what a person waits for
      this.stats.answered(timings.total, now_ms);
      this.#failed = 0;
      this.dispatchEvent(new CustomEvent("answer", { detail: { ...answer, timings } }));
    } catch (error) {
      if (run === this.#run && ++this.#failed >= PATIENCE) {
        this.stop();
        this.dispatchEvent(new CustomEvent("error", { detail: error }));
      }
    } finally {
      this.#busy = false;
      if (this.#again && !this.running) void this.once();
    }
  }
}
