/** Embeddings scaled for a fit, and a layer scaled back: `Scaling` of whatsit.train.head. */

import { meanRow } from "./vectors.js";

const OWN = 0.8; // how far each value is scaled by its own spread: 1 is all the way
const LEAST_SPREAD = 1e-3; // of a value, as a share of the mean one: it may be constant

/** vectors (N, D) → (vectors - mean) / spread. */
export class Scaling {
  /**
   * @param {Float64Array} mean
   * @param {Float64Array} spread
   */
  constructor(mean, spread) {
    this.mean = mean;
    this.spread = spread;
  }

  /**
   * Between each value's own spread and that of all, nearer to its own.
   * @param {Float32Array} vectors
   * @param {number} width
   */
  static of(vectors, width) {
    const count = vectors.length / width;
    const mean = meanRow(vectors, width);
    const squares = new Float64Array(width);
    for (let i = 0; i < vectors.length; i++) {
      squares[i % width] += (vectors[i] - mean[i % width]) ** 2 / count;
    }
    const every = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / width) || 1;
    const spread = squares.map(
      (square) => (Math.sqrt(square) + LEAST_SPREAD * every) ** OWN * every ** (1 - OWN),
    );
    return new Scaling(mean, spread);
  }

  /**
   * @param {Float32Array} vectors
   * @returns {Float32Array}
   */
  apply(vectors) {
    const width = this.mean.length;
    return vectors.map((value, i) => (value - this.mean[i % width]) / this.spread[i % width]);
  }

  /**
   * The layer for vectors as they are that does what this one does for scaled ones.
   * @param {Float64Array} weights
   * @param {Float64Array} bias
   */
  undone(weights, bias) {
    const width = this.mean.length;
    const rows = weights.map((weight, i) => weight / this.spread[i % width]);
    const moved = bias.map((value, c) => {
      for (let d = 0; d < width; d++) value -= rows[c * width + d] * this.mean[d];
      return value;
    });
    return { weights: Float32Array.from(rows), bias: Float32Array.from(moved) };
  }
}
