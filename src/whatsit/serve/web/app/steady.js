/** What a live picture is said to show: rows and words that do not flicker. */

import { Shown, Smoother } from "../core/smoothing.js";

const LEAD = 1.05; // by which other words must lead those that stand before they replace them
const LEAST = 1e-6; // what a threshold of 0 comes to
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
   * @param {{classes: number, time_s: number, threshold: number, most: number}} how
   */
  constructor({ classes, time_s, threshold, most }) {
    this.classes = classes;
    this.#time_ms = 1000 * time_s;
    this.#smoother = new Smoother(time_s, classes);
    const enter = Math.max(threshold, LEAST);
    this.#shown = new Shown({ enter, leave: time_s ? LEAVE * enter : enter, most });
  }

  /**
   * @param {number} time_ms
   * @param {Float32Array} scores
   * @param {Said} said
   * @returns {{rows: {index: number, score: number}[], said: Said}}
   */
  step(time_ms, scores, said) {
    const mean = this.#smoother.step(time_ms, scores);
    return { rows: this.#shown.step(mean), said: this.#vote(time_ms, said) };
  }

  /** The words that were heard most often of late, the older the less. */
  #vote(/** @type {number} */ time_ms, /** @type {Said} */ said) {
    if (this.#time_ms === 0) return said;
    const kept = Math.exp((this.#last_ms - time_ms) / this.#time_ms);
    this.#last_ms = time_ms;
    for (const [key, vote] of this.#votes) {
      vote.weight *= kept;
      if (vote.weight < 0.01) this.#votes.delete(key);
    }
    const key = `${said.kind} ${said.headline}`;
    const weight = (this.#votes.get(key)?.weight ?? 0) + 1;
    this.#votes.set(key, { weight, said });
    const standing = this.#votes.get(this.#standing);
    let best = this.#standing;
    let most = standing ? standing.weight * LEAD : 0;
    for (const [other, vote] of this.#votes) {
      if (vote.weight > most) [best, most] = [other, vote.weight];
    }
    this.#standing = best;
    return this.#votes.get(best)?.said ?? said;
  }
}
