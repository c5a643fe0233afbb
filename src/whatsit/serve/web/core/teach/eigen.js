/** Eigenvectors of a symmetric matrix, and solutions of linear equations. Matrices are flat. */

const MOST_SWEEPS = 60;
const NOTHING = 1e-14; // of the whole, what may be left beside the diagonal

/**
 * The eigenvalues of a symmetric matrix (N, N), and an eigenvector (N,) of length 1 for each, in no
 * order.
 *
 * By turns of two axes at a time: C. G. J. Jacobi, Journal für die reine und angewandte Mathematik
 * 30 (1846), 51-94.
 * @param {Float64Array} matrix
 * @param {number} size
 * @returns {{values: number[], vectors: Float64Array[]}}
 */
export function eigen(matrix, size) {
  const rows = Array.from({ length: size }, (_, i) => matrix.slice(i * size, (i + 1) * size));
  const vectors = Array.from({ length: size }, (_, i) => {
    const vector = new Float64Array(size);
    vector[i] = 1;
    return vector;
  });
  const whole = Math.sqrt(matrix.reduce((sum, value) => sum + value * value, 0));
  for (let sweep = 0; sweep < MOST_SWEEPS && beside(rows) > NOTHING * whole; sweep++) {
    for (let p = 0; p < size - 1; p++) {
      for (let q = p + 1; q < size; q++) turn(rows, vectors, p, q);
    }
  }
  return { values: rows.map((row, i) => row[i]), vectors };
}

/**
 * Turns the axes p and q so that nothing is left between them.
 * @param {Float64Array[]} rows
 * @param {Float64Array[]} vectors
 * @param {number} p
 * @param {number} q
 */
function turn(rows, vectors, p, q) {
  const between = rows[p][q];
  if (between === 0) return;
  const ratio = (rows[q][q] - rows[p][p]) / (2 * between);
  const tangent = (ratio < 0 ? -1 : 1) / (Math.abs(ratio) + Math.hypot(1, ratio));
  const cosine = 1 / Math.hypot(1, tangent);
  const sine = tangent * cosine;
  rotate(rows[p], rows[q], cosine, sine);
  for (const row of rows) {
    const [one, other] = [row[p], row[q]];
    row[p] = cosine * one - sine * other;
    row[q] = sine * one + cosine * other;
  }
  rotate(vectors[p], vectors[q], cosine, sine);
}

/**
 * @param {Float64Array} one
 * @param {Float64Array} other
 * @param {number} cosine
 * @param {number} sine
 */
function rotate(one, other, cosine, sine) {
  for (let i = 0; i < one.length; i++) {
    const [a, b] = [one[i], other[i]];
    one[i] = cosine * a - sine * b;
    other[i] = sine * a + cosine * b;
  }
}

/** @param {Float64Array[]} rows */
function beside(rows) {
  let sum = 0;
  rows.forEach((row, i) => {
    for (let j = 0; j < row.length; j++) if (j !== i) sum += row[j] * row[j];
  });
  return Math.sqrt(sum);
}

/**
 * matrix (N, N) @ found (N, C) = right (N, C), by elimination with the largest pivots.
 * @param {Float64Array} matrix
 * @param {Float64Array} right
 * @param {number} size
 * @returns {Float64Array}
 */
export function solve(matrix, right, size) {
  const columns = right.length / size;
  const width = size + columns;
  const rows = Array.from({ length: size }, (_, i) => {
    const row = new Float64Array(width);
    row.set(matrix.subarray(i * size, (i + 1) * size));
    row.set(right.subarray(i * columns, (i + 1) * columns), size);
    return row;
  });
  for (let i = 0; i < size; i++) {
    let best = i;
    for (let k = i; k < size; k++) if (Math.abs(rows[k][i]) > Math.abs(rows[best][i])) best = k;
    [rows[i], rows[best]] = [rows[best], rows[i]];
    for (let k = 0; k < size; k++) {
      if (k === i) continue;
      const factor = rows[k][i] / rows[i][i];
      for (let j = i; j < width; j++) rows[k][j] -= factor * rows[i][j];
    }
  }
  return Float64Array.from({ length: size * columns }, (_, at) => {
    const i = Math.floor(at / columns);
    return rows[i][size + (at % columns)] / rows[i][i];
  });
}
