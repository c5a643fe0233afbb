/**
 * Ridge regression of classes on embeddings, solved once for all strengths: `_Solver` of
 * whatsit.train.few.
 */

import { eigen, solve } from "./eigen.js";
import { add, product } from "./vectors.js";

const LEAST_SHARE = 1e-6; // of the largest eigenvalue: smaller ones are rounding
const LEAST_SQUARE = 1e-12; // of embeddings that are all the same

/**
 * Of N pictures: eigenvectors of their products, left (R, N), the roots of the eigenvalues (R,),
 * the centred embeddings (N, D) and targets (N, C).
 * @typedef {{left: Float64Array[], values: number[], centred: Float64Array, targets: Float64Array,
 *   width: number, classes: number, count: number}} Parts
 */

/** Heads of any strength for the same pictures. */
export class Ridge {
  /** @param {Parts} parts */
  constructor({ left, values, centred, targets, width, classes, count }) {
    this.left = left;
    this.values = values;
    this.centred = centred;
    this.targets = targets;
    this.width = width;
    this.classes = classes;
    this.count = count;
  }

  /**
   * @param {Float32Array} vectors (N, D)
   * @param {Float64Array} mean (D,) of them
   * @param {number[]} truth
   * @param {number} classes
   * @returns {Ridge}
   */
  static of(vectors, mean, truth, classes) {
    const [count, width] = [truth.length, mean.length];
    const centred = Float64Array.from(vectors, (value, i) => value - mean[i % width]);
    const { values: squares, vectors: directions } = eigen(products(centred, width), count);
    const least = LEAST_SHARE * Math.max(...squares, LEAST_SQUARE);
    const real = squares.flatMap((square, i) => (square > least ? [i] : []));
    return new Ridge({
      left: real.map((i) => directions[i]),
      values: real.map((i) => Math.sqrt(squares[i])),
      centred,
      targets: targetsOf(truth, classes),
      width,
      classes,
      count,
    });
  }

  /**
   * The rows (C, D), for centred vectors.
   * @param {number} strength
   */
  weights(strength) {
    const { values, centred, width, classes, count } = this;
    const shares = this.#shares(strength);
    // Each right direction is left @ centred / value, so that the value counts twice.
    const pictures = this.#along(shares.map((share, r) => share / (values[r] * values[r])));
    const found = new Float64Array(classes * width);
    for (let i = 0; i < count; i++) {
      for (let c = 0; c < classes; c++) {
        add(found, c * width, pictures[i * classes + c], centred, i * width, width);
      }
    }
    return found;
  }

  /**
   * What each picture is given by a head of all others, (N, C).
   *
   * Those whose rows are together in one of `alike` are left out together. From how much it weighs
   * in its own answer: D. M. Allen, Technometrics 16 (1974), 125-127.
   * @param {number} strength
   * @param {number[][]} alike
   */
  withoutItself(strength, alike) {
    const { left, targets, classes, count } = this;
    const shares = this.#shares(strength);
    const fitted = this.#along(shares);
    const own = new Float64Array(count).fill(1 / count); // its part in the mean, taken off before
    left.forEach((direction, r) => {
      for (let i = 0; i < count; i++) own[i] += direction[i] * direction[i] * shares[r];
    });
    const rest = fitted.map((value, i) => {
      const weight = own[Math.floor(i / classes)];
      return (value - weight * targets[i]) / Math.max(1 - weight, LEAST_SHARE);
    });
    for (const group of alike) this.#withoutGroup(shares, fitted, group, rest);
    return rest;
  }

  /**
   * How much of each direction is kept, (R,).
   * @param {number} strength
   */
  #shares(strength) {
    const squares = this.values.map((value) => value * value);
    const mean = squares.reduce((sum, square) => sum + square, 0) / squares.length;
    return squares.map((square) => square / (square + strength * mean));
  }

  /**
   * left.T @ (factors * (left @ targets)), (N, C): the targets along the directions, each as long
   * as its factor says.
   * @param {number[]} factors (R,)
   */
  #along(factors) {
    const { left, targets, classes, count } = this;
    const found = new Float64Array(count * classes);
    left.forEach((direction, r) => {
      const row = new Float64Array(classes);
      for (let i = 0; i < count; i++) add(row, 0, direction[i], targets, i * classes, classes);
      for (let i = 0; i < count; i++) {
        add(found, i * classes, direction[i] * factors[r], row, 0, classes);
      }
    });
    return found;
  }

  /**
   * Writes into `rest` what the pictures of a group are given by a head of all others.
   * @param {number[]} shares
   * @param {Float64Array} fitted
   * @param {number[]} group
   * @param {Float64Array} rest
   */
  #withoutGroup(shares, fitted, group, rest) {
    const { left, targets, classes, count } = this;
    const size = group.length;
    const kept = new Float64Array(size * size);
    group.forEach((one, i) => {
      group.forEach((other, j) => {
        let sum = (i === j ? 1 + LEAST_SHARE : 0) - 1 / count;
        left.forEach((direction, r) => (sum -= direction[one] * shares[r] * direction[other]));
        kept[i * size + j] = sum;
      });
    });
    const missed = new Float64Array(size * classes);
    group.forEach((row, i) => {
      for (let c = 0; c < classes; c++) {
        missed[i * classes + c] = targets[row * classes + c] - fitted[row * classes + c];
      }
    });
    const found = solve(kept, missed, size);
    group.forEach((row, i) => {
      for (let c = 0; c < classes; c++) {
        rest[row * classes + c] = targets[row * classes + c] - found[i * classes + c];
      }
    });
  }
}

/**
 * 1 for the class of each picture, less the share of all pictures that each class has, (N, C).
 * @param {number[]} truth
 * @param {number} classes
 */
function targetsOf(truth, classes) {
  const shares = new Float64Array(classes);
  for (const index of truth) shares[index] += 1 / truth.length;
  return Float64Array.from({ length: truth.length * classes }, (_, i) => {
    const index = i % classes;
    return (truth[Math.floor(i / classes)] === index ? 1 : 0) - shares[index];
  });
}

/**
 * rows (N, D) @ rows.T → (N, N).
 * @param {Float64Array} rows
 * @param {number} width
 */
function products(rows, width) {
  const count = rows.length / width;
  const found = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      found[i * count + j] = product(rows, i * width, rows, j * width, width);
      found[j * count + i] = found[i * count + j];
    }
  }
  return found;
}
