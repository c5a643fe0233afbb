/** A map of evidence, laid over the picture as people know it: whatsit.explain.evidence. */

import { enlarged } from "./enlarge.js";
import { rint } from "../teach/numbers.js";

/** @typedef {import("../preprocess.js").Placement} Placement */
/** @typedef {{values: Float32Array, height: number, width: number}} Cells row by row */
/** @typedef {[number, number]} Point x and y as fractions of the upright picture */

/** @type {readonly string[]} */
export const REGIONS = Object.freeze([
  ...["upper left", "top", "upper right"],
  ...["left", "centre", "right"],
  ...["lower left", "bottom", "lower right"],
]);
const FINE = 16; // places looked at within a cell, a side, for the peak
const THIRD = 32; // places looked at within a third of the picture, a side
const MOST_SIDE = 1024; // of the places for the peak: a map of many cells needs no finer ones
const FLAT = 1e-6; // of the largest value: a map that varies less has no peak

/**
 * How much each place speaks for something (above 0) or against it, and where it lies.
 *
 * The values are as the model saw the picture, with its bars; `placement` says how that came
 * about. It has no quarter turns: the app gives none.
 */
export class Evidence {
  /**
   * @param {Cells} cells
   * @param {Placement} placement
   */
  constructor(cells, placement) {
    this.cells = cells;
    this.placement = placement;
  }

  /** The same against it. */
  negated() {
    const { values, ...size } = this.cells;
    return new Evidence({ ...size, values: values.map((value) => -value) }, this.placement);
  }

  /**
   * Where most speaks for it; null where no place does, or all do alike.
   * @returns {Point | null}
   */
  get peak() {
    const [height, width] = [this.cells.height, this.cells.width].map((side) =>
      Math.min(FINE * side, MOST_SIDE),
    );
    const box = this.#overBox(height, width);
    let most = 0;
    let low = Infinity;
    for (let i = 0; i < box.length; i += 1) {
      if (box[i] > box[most]) most = i;
      if (box[i] < low) low = box[i];
    }
    const high = box[most];
    if (high <= 0 || high - low <= FLAT * Math.max(high, -low)) return null;
    const [left, top, right, bottom] = this.placement.box;
    const [row, column] = [Math.floor(most / width), most % width];
    return [
      left + ((right - left) * (column + 0.5)) / width,
      top + ((bottom - top) * (row + 0.5)) / height,
    ];
  }

  /**
   * What share of all that speaks for it lies in each of the nine parts of the picture, in the
   * order of REGIONS. They sum to 1, or to 0 where nothing speaks for it.
   * @returns {number[]}
   */
  get regions() {
    const side = 3 * THIRD;
    const found = this.onPicture(side, side);
    const ninths = new Array(9).fill(0);
    found.forEach((value, i) => {
      const part = 3 * Math.floor(i / side / THIRD) + Math.floor((i % side) / THIRD);
      if (value > 0) ninths[part] += value; // not NaN either
    });
    const total = ninths.reduce((sum, share) => sum + share, 0);
    return total > 0 ? ninths.map((share) => share / total) : ninths;
  }

  /**
   * The values at each pixel of the upright picture, row by row, NaN where nobody looked.
   * @param {number} height
   * @param {number} width
   * @returns {Float32Array}
   */
  onPicture(height, width) {
    const whole = new Float32Array(height * width).fill(NaN);
    const [left, top, right, bottom] = pixels(this.placement.box, height, width);
    const box = this.#overBox(bottom - top, right - left);
    for (let y = top; y < bottom; y += 1) {
      const from = (y - top) * (right - left);
      whole.set(box.subarray(from, from + right - left), y * width + left);
    }
    return whole;
  }

  /**
   * @param {number} height
   * @param {number} width
   */
  #overBox(height, width) {
    return enlarged(this.cells, this.placement.inner, height, width);
  }
}

/**
 * A part of a picture, given in fractions, in whole pixels, at least one a side.
 * @param {readonly number[]} box
 * @param {number} height
 * @param {number} width
 * @returns {[left: number, top: number, right: number, bottom: number]}
 */
export function pixels([left, top, right, bottom], height, width) {
  const x = Math.min(rint(left * width), width - 1);
  const y = Math.min(rint(top * height), height - 1);
  return [x, y, Math.max(rint(right * width), x + 1), Math.max(rint(bottom * height), y + 1)];
}
