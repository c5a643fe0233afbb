/** What a live picture is said to show: rows and words that do not flicker. */

import { Shown, Smoother } from "../core/smoothing.js";
import { HARD, agrees } from "./verdict.js";

const LEAD = 1.05; // by which other words must lead those that stand before they replace them
const LEAST = 1e-6; // what a threshold of 0 comes to
const LEAST_MS = 0.1; // between two frames
const LEAVE = 0.75; // of the threshold: a row goes below this

/** @typedef {import("./verdict.js").Said} Said */

export class Steady {
  #smoother;
  #shown;
  #time_ms;
  #last_ms = 0;
  /** @type {Map<string, {weight: number, said: Said}>} */
  #votes = new Map();
  #standing = "";

  /**
   * @param {{labels: string[], time_s: number, threshold: number, most: number}} how
   */
  constructor({ labels, time_s, threshold, most }) {
    this.labels = labels;
    this.#time_ms = 1000 * time_s;
    this.#smoother = new Smoother(time_s, labels.length);
    const enter = Math.max(threshold, LEAST);
    this.#shown = new Shown({ enter, leave: time_s ? LEAVE * enter : enter, most });
  }

  /**
   * @param {number} now_ms
   * @param {Float32Array} scores
   * @param {Said} said Of these scores.
   * @returns {{rows: import("./rows.js").Row[], said: Said}}
   */
  step(now_ms, scores, said) {
    // Some browsers tell the time in coarse steps: two frames may have the same.
    const time_ms = Math.max(now_ms, this.#last_ms + LEAST_MS);
    const mean = this.#smoother.step(time_ms, scores);
    const rows = this.#shown.step(mean).map(({ index, score }) => {
      return { label: this.labels[index], score };
    });
    this.#vote(time_ms, said);
    return { rows, said: this.#told(rows[0]?.label) };
  }

  /** Each frame's words are a vote for them: the older, the less it weighs. */
  #vote(/** @type {number} */ time_ms, /** @type {Said} */ said) {
    const kept = this.#time_ms ? Math.exp((this.#last_ms - time_ms) / this.#time_ms) : 0;
    this.#last_ms = time_ms;
    for (const [key, vote] of this.#votes) {
      vote.weight *= kept;
      if (vote.weight < 0.01) this.#votes.delete(key);
    }
    const key = `${said.kind} ${said.headline}`;
    const weight = (this.#votes.get(key)?.weight ?? 0) + 1;
    this.#votes.set(key, { weight, said });
  }

  /**
   * The words with the most votes among those that the row on top does not contradict: rows are of
   * the scores' mean, words of whole frames, and the two change at different moments.
   *
   * @param {string|undefined} top
   * @returns {Said}
   */
  #told(top) {
    /** @type {[string, Said]|null} */
    let best = null;
    let most = 0;
    for (const [key, { weight, said }] of this.#votes) {
      const lead = key === this.#standing ? weight * LEAD : weight;
      if (lead <= most || (top !== undefined && !agrees(said, top))) continue;
      best = [key, said];
      most = lead;
    }
    if (best === null) return HARD;
    this.#standing = best[0];
    return best[1];
  }
}
