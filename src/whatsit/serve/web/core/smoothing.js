/**
 * Scores of a video made steady: the `Smoother` of whatsit.smoothing, and which rows a live view
 * shows of the mean.
 */

import { WhatsitError } from "./errors.js";
import { repr } from "./repr.js";

/**
 * The mean of the scores seen so far, the older the less.
 *
 * Each frame weighs exp(-age / time), and the weights are made to sum to 1. So the first frame is
 * its own mean; frames twice as dense change nothing; and after a gap what was before it is
 * forgotten by its age, while the first frame behind it weighs no more than the next.
 */
export class Smoother {
  /**
   * @param {number} timeS the time constant; 0 is no mean
   * @param {number} classes
   */
  constructor(timeS, classes) {
    this.timeMs = timeS * 1e3;
    this.sum = new Float64Array(classes); // an endless stream must not drift
    this.weight = 0;
    /** @type {number | null} */
    this.lastMs = null;
  }

  /**
   * The mean once a frame's scores are seen too. Throws wrong-usage for a time that is not after
   * the last one.
   * @param {number} timeMs
   * @param {Float32Array} scores
   * @returns {Float32Array}
   */
  step(timeMs, scores) {
    checkLater(timeMs, this.lastMs);
    const { sum } = this;
    if (scores.length !== sum.length) {
      throw new WhatsitError("wrong-usage", `scores of shape (${scores.length},)`, {
        expected: `one for each of ${sum.length}`,
      });
    }
    const kept = this.kept(timeMs);
    this.lastMs = timeMs;
    this.weight = this.weight * kept + 1;
    const mean = new Float32Array(sum.length);
    for (let i = 0; i < sum.length; i += 1) {
      sum[i] = sum[i] * kept + scores[i];
      mean[i] = sum[i] / this.weight;
    }
    return mean;
  }

  /** What was seen before counts no longer. */
  forget() {
    this.sum.fill(0);
    this.weight = 0;
  }

  /**
   * The share that is left of what was seen before.
   * @param {number} timeMs
   * @returns {number}
   */
  kept(timeMs) {
    if (this.lastMs === null || this.timeMs === 0) return 0;
    return Math.exp((this.lastMs - timeMs) / this.timeMs);
  }
}

/**
 * @param {number} timeMs
 * @param {number | null} lastMs
 */
function checkLater(timeMs, lastMs) {
  if (Number.isFinite(timeMs) && (lastMs === null || timeMs > lastMs)) return;
  const after = lastMs === null ? "" : ` after one at ${repr(lastMs)} ms`;
  throw new WhatsitError("wrong-usage", `a frame at ${repr(timeMs)} ms${after}`, {
    expected: "times that rise",
  });
}

/** @typedef {{index: number, score: number}} Row */

const LEAD = 0.03; // of a score: a row that is shown lower must be this much better to go above

/**
 * The rows of a live view, best first, that do not flicker.
 *
 * A class comes when its mean reaches `enter` and goes when it falls below `leave`. Two rows change
 * places, and a new class takes the place of one that is shown, only where it is better by more
 * than noise. At most `most` rows.
 */
export class Shown {
  /** @param {{enter: number, leave: number, most: number, lead?: number}} levels */
  constructor({ enter, leave, most, lead = LEAD }) {
    if (!(leave > 0 && leave <= enter && enter <= 1)) {
      const message = `classes that enter at ${repr(enter)} and leave at ${repr(leave)}`;
      const expected = "probabilities, of which the second is not above the first";
      throw new WhatsitError("wrong-usage", message, { expected });
    }
    this.enter = enter;
    this.leave = leave;
    this.most = most;
    this.lead = lead;
    /** @type {number[]} */
    this.order = [];
  }

  /**
   * The rows once a mean is seen too.
   * @param {Float32Array} mean
   * @returns {Row[]}
   */
  step(mean) {
    const order = this.order.filter((index) => mean[index] >= this.leave);
    for (const index of this.coming(mean, new Set(order))) order.push(index);
    this.order = this.settled(order, mean).slice(0, this.most);
    return this.order.map((index) => ({ index, score: mean[index] }));
  }

  /** Nothing is shown any more. */
  forget() {
    this.order = [];
  }

  /**
   * Classes that come, best first; no more than there are rows.
   * @param {Float32Array} mean
   * @param {Set<number>} shown
   * @returns {number[]}
   */
  coming(mean, shown) {
    /** @type {number[]} */
    const found = [];
    for (let i = 0; i < mean.length; i += 1) {
      if (mean[i] >= this.enter && !shown.has(i)) found.push(i);
    }
    return found.sort((a, b) => mean[b] - mean[a] || a - b).slice(0, this.most);
  }

  /**
   * The same rows, where each has gone up past those that it beats by the lead.
   * @param {number[]} order
   * @param {Float32Array} mean
   * @returns {number[]}
   */
  settled(order, mean) {
    /** @type {number[]} */
    const rows = [];
    for (const index of order) {
      let place = rows.length;
      while (place > 0 && mean[index] > mean[rows[place - 1]] + this.lead) place -= 1;
      rows.splice(place, 0, index);
    }
    return rows;
  }
}
