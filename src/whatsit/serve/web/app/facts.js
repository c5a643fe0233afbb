/** The facts behind an answer: what was seen, how long it took, what really ran. */

import { h, write } from "./dom.js";
import { megabytes, milliseconds, percent, times } from "./numbers.js";
import { WORDS } from "./words.js";

const W = WORDS.facts;
const STAGES = /** @type {const} */ (["capture", "decode", "preprocess", "inference", "post", "total"]);

const GROUPS = /** @type {const} */ ([
  { title: W.sees, keys: ["frame", "crop", "input", "rule", "rotation"] },
  { title: W.speed, keys: [...STAGES, "p50", "p95", "fps", "dropped"] },
  {
    title: W.runs,
    keys: ["model", "accuracy", "trust", "backend", "threads", "selfTest", "notes"],
  },
]);

/**
 * @typedef {Object} Seen
 * @property {import("./types.js").Answer|null} answer
 * @property {import("./stats.js").Stats|null} stats Of a video only.
 */

export class Facts {
  /** @type {Map<string, HTMLElement>} */
  #values = new Map();

  constructor() {
    const groups = GROUPS.map(({ title, keys }) => {
      const list = h("dl", {});
      for (const key of keys) {
        const value = h("dd", {}, W.none);
        this.#values.set(key, value);
        list.append(h("div", {}, h("dt", {}, W[key]), value));
      }
      return h("section", {}, h("h2", {}, title), list);
    });
    this.element = h("div", { class: "facts" }, ...groups);
  }

  /** @param {Seen} seen */
  showAnswer({ answer, stats }) {
    if (!answer) {
      for (const key of ["frame", "crop", ...STAGES]) this.#set(key, null);
    } else {
      const { size, crop } = answer;
      this.#set("frame", times(size));
      const cut = [size[0] * (crop.right - crop.left), size[1] * (crop.bottom - crop.top)];
      this.#set("crop", times(cut));
      for (const stage of STAGES) this.#set(stage, time(answer.timings[stage]));
    }
    this.#set("p50", time(stats?.quantile(0.5)));
    this.#set("p95", time(stats?.quantile(0.95)));
    this.#set("fps", stats?.fps ? stats.fps.toFixed(1) : null);
    this.#set("dropped", stats ? String(stats.dropped) : null);
    this.#set("rotation", `${screen.orientation?.angle ?? 0}°`);
  }

  /**
   * @param {import("./types.js").ModelFacts|null} model
   * @param {string} rule
   */
  showModel(model, rule) {
    if (!model) return;
    const [height, width] = model.input;
    this.#set("input", times([width, height]));
    this.#set("rule", rule);
    this.#set("model", `${model.name}, ${megabytes(model.bytes)}`);
    this.#set("accuracy", accuracyText(model.accuracy));
    this.#set("trust", model.calibrated ? W.yes : W.uncalibrated);
    this.#set("notes", model.notes.join(" "));
  }

  /**
   * @param {import("./types.js").EngineFacts|null} engine
   * @param {string} selfTest
   */
  showEngine(engine, selfTest) {
    if (!engine) return;
    const failed = engine.tried.filter(({ passed }) => !passed);
    const not = failed.map(({ build, reason }) => `${WORDS.builds[build] ?? build}: ${reason}`);
    this.#set("backend", [WORDS.builds[engine.build] ?? engine.build, ...not].join(". Not "));
    this.#set("threads", String(engine.threads));
    this.#set("selfTest", selfTest);
  }

  /**
   * @param {string} key
   * @param {string|null|undefined} text
   */
  #set(key, text) {
    const value = this.#values.get(key);
    if (value) write(value, text || W.none);
  }
}

/**
 * @param {import("./types.js").Accuracy[]} accuracy
 * @returns {string|null}
 */
export function accuracyText(accuracy) {
  const first = accuracyOf(accuracy);
  return first && `${percent(first.top1 / 100, 1)} (${first.data_set})`;
}

/**
 * The figure to name: that of pictures which no model was made with.
 *
 * @param {import("./types.js").Accuracy[]} accuracy
 * @returns {import("./types.js").Accuracy|null}
 */
export function accuracyOf(accuracy) {
  return accuracy.find(({ data_set }) => /val/.test(data_set)) ?? accuracy[0] ?? null;
}

/** @param {number|null|undefined} ms */
function time(ms) {
  return ms ? milliseconds(ms) : null; // what was not done took no time
}
