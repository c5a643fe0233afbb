/**
 * From 64 coefficients to 8 × 8, 4 × 4, 2 × 2 samples or 1: libjpeg's accurate integer transform.
 *
 * Columns, then rows, each after Loeffler, Ligtenberg and Moschytz (1989) with multipliers of 13
 * bits; columns are kept with 2 bits more than samples have. The smaller ones have the mean of
 * neighbours, from all coefficients that count.
 */

/**
 * Writes the samples of the block that begins at `from` to `to` of a plane with rows of `stride`.
 * @typedef {(blocks: Int16Array, from: number, quantiser: Uint16Array, plane: Uint8ClampedArray,
 *   to: number, stride: number) => void} Transform
 */

const BITS = 13;
const EXTRA = 2;
const MIDDLE = 128; // what a sample without coefficients is

/**
 * @param {number} x
 * @returns {number}
 */
const fix = (x) => Math.round(x * (1 << BITS));

const F_0_298 = fix(0.298631336);
const F_0_390 = fix(0.390180644);
const F_0_541 = fix(0.5411961);
const F_0_765 = fix(0.765366865);
const F_0_899 = fix(0.899976223);
const F_1_175 = fix(1.175875602);
const F_1_501 = fix(1.50132111);
const F_1_847 = fix(1.847759065);
const F_1_961 = fix(1.96157056);
const F_2_053 = fix(2.053119869);
const F_2_562 = fix(2.562915447);
const F_3_072 = fix(3.072711026);

// Of the smaller transforms: what the coefficients 1, 3, 5 and 7 count.
const INNER = [fix(1.061594337), -fix(2.172734803), fix(1.451774981), -fix(0.211164243)];
const OUTER = [F_2_562, F_0_899, -fix(0.601344887), -fix(0.509795579)];
const HALVES = [fix(3.624509785), -fix(1.27275858), fix(0.850430095), -fix(0.720959822)];

const work = new Int32Array(64);

/** @type {Record<number, Transform>} samples a side → the transform that gives them */
export const TRANSFORMS = { 1: one, 2: two, 4: four, 8: eight };

/** @type {Transform} */
function eight(blocks, from, quantiser, plane, to, stride) {
  for (let x = 0; x < 8; x += 1) {
    const at = from + x;
    const a1 = blocks[at + 8];
    const a2 = blocks[at + 16];
    const a3 = blocks[at + 24];
    const a4 = blocks[at + 32];
    const a5 = blocks[at + 40];
    const a6 = blocks[at + 48];
    const a7 = blocks[at + 56];
    const first = blocks[at] * quantiser[x];
    if ((a1 | a2 | a3 | a4 | a5 | a6 | a7) === 0) {
      for (let y = x; y < 64; y += 8) work[y] = first << EXTRA;
      continue;
    }
    butterfly(
      first,
      a1 * quantiser[x + 8],
      a2 * quantiser[x + 16],
      a3 * quantiser[x + 24],
      a4 * quantiser[x + 32],
      a5 * quantiser[x + 40],
      a6 * quantiser[x + 48],
      a7 * quantiser[x + 56],
      x,
      8,
      1 << (BITS - EXTRA - 1),
      BITS - EXTRA,
    );
  }
  const shift = BITS + EXTRA + 3;
  for (let y = 0; y < 64; y += 8, to += stride) {
    butterfly(
      work[y],
      work[y + 1],
      work[y + 2],
      work[y + 3],
      work[y + 4],
      work[y + 5],
      work[y + 6],
      work[y + 7],
      y,
      1,
      (MIDDLE << shift) + (1 << (shift - 1)),
      shift,
    );
    for (let x = 0; x < 8; x += 1) plane[to + x] = work[y + x];
  }
}

/**
 * Eight numbers of `work`, from its place `at` on, of eight coefficients.
 * @param {number} a0
 * @param {number} a1
 * @param {number} a2
 * @param {number} a3
 * @param {number} a4
 * @param {number} a5
 * @param {number} a6
 * @param {number} a7
 * @param {number} at
 * @param {number} step
 * @param {number} added before the shift
 * @param {number} shift
 */
function butterfly(a0, a1, a2, a3, a4, a5, a6, a7, at, step, added, shift) {
  const turn = Math.imul(a2 + a6, F_0_541);
  const even2 = turn - Math.imul(a6, F_1_847);
  const even3 = turn + Math.imul(a2, F_0_765);
  const sum = ((a0 + a4) << BITS) + added;
  const difference = ((a0 - a4) << BITS) + added;

  const both = Math.imul(a7 + a3 + a5 + a1, F_1_175);
  const z1 = Math.imul(a7 + a1, -F_0_899);
  const z2 = Math.imul(a5 + a3, -F_2_562);
  const z3 = Math.imul(a7 + a3, -F_1_961) + both;
  const z4 = Math.imul(a5 + a1, -F_0_390) + both;
  const odd0 = Math.imul(a1, F_1_501) + z1 + z4;
  const odd1 = Math.imul(a3, F_3_072) + z2 + z3;
  const odd2 = Math.imul(a5, F_2_053) + z2 + z4;
  const odd3 = Math.imul(a7, F_0_298) + z1 + z3;

  work[at] = (sum + even3 + odd0) >> shift;
  work[at + step] = (difference + even2 + odd1) >> shift;
  work[at + 2 * step] = (difference - even2 + odd2) >> shift;
  work[at + 3 * step] = (sum - even3 + odd3) >> shift;
  work[at + 4 * step] = (sum - even3 - odd3) >> shift;
  work[at + 5 * step] = (difference - even2 - odd2) >> shift;
  work[at + 6 * step] = (difference + even2 - odd1) >> shift;
  work[at + 7 * step] = (sum + even3 - odd0) >> shift;
}

/** @type {Transform} */
function four(blocks, from, quantiser, plane, to, stride) {
  const columns = BITS - EXTRA + 1;
  for (let x = 0; x < 8; x += 1) {
    if (x === 4) continue; // it cancels out
    const at = (/** @type {number} */ y) => blocks[from + y * 8 + x] * quantiser[y * 8 + x];
    const sum = (at(0) << (BITS + 1)) + (1 << (columns - 1));
    const even = Math.imul(at(2), F_1_847) - Math.imul(at(6), F_0_765);
    const outer = weighed(OUTER, at(1), at(3), at(5), at(7));
    const inner = weighed(INNER, at(1), at(3), at(5), at(7));
    work[x] = (sum + even + outer) >> columns;
    work[x + 8] = (sum - even + inner) >> columns;
    work[x + 16] = (sum - even - inner) >> columns;
    work[x + 24] = (sum + even - outer) >> columns;
  }
  const rows = BITS + EXTRA + 3 + 1;
  for (let y = 0; y < 32; y += 8, to += stride) {
    const sum = (work[y] << (BITS + 1)) + (1 << (rows - 1));
    const even = Math.imul(work[y + 2], F_1_847) - Math.imul(work[y + 6], F_0_765);
    const outer = weighed(OUTER, work[y + 1], work[y + 3], work[y + 5], work[y + 7]);
    const inner = weighed(INNER, work[y + 1], work[y + 3], work[y + 5], work[y + 7]);
    plane[to] = ((sum + even + outer) >> rows) + MIDDLE;
    plane[to + 1] = ((sum - even + inner) >> rows) + MIDDLE;
    plane[to + 2] = ((sum - even - inner) >> rows) + MIDDLE;
    plane[to + 3] = ((sum + even - outer) >> rows) + MIDDLE;
  }
}

/** @type {Transform} */
function two(blocks, from, quantiser, plane, to, stride) {
  const columns = BITS - EXTRA + 2;
  for (let x = 0; x < 8; x += 1) {
    if (x !== 0 && x % 2 === 0) continue; // they cancel out
    const at = (/** @type {number} */ y) => blocks[from + y * 8 + x] * quantiser[y * 8 + x];
    const sum = (at(0) << (BITS + 2)) + (1 << (columns - 1));
    const odd = weighed(HALVES, at(1), at(3), at(5), at(7));
    work[x] = (sum + odd) >> columns;
    work[x + 8] = (sum - odd) >> columns;
  }
  const rows = BITS + EXTRA + 3 + 2;
  for (let y = 0; y < 16; y += 8, to += stride) {
    const sum = (work[y] << (BITS + 2)) + (1 << (rows - 1));
    const odd = weighed(HALVES, work[y + 1], work[y + 3], work[y + 5], work[y + 7]);
    plane[to] = ((sum + odd) >> rows) + MIDDLE;
    plane[to + 1] = ((sum - odd) >> rows) + MIDDLE;
  }
}

/** @type {Transform} */
function one(blocks, from, quantiser, plane, to) {
  const level = (blocks[from] * quantiser[0] + 4) >> 3;
  plane[to] = ((level << 22) >> 22) + MIDDLE; // of 10 bits, as libjpeg has it in damaged data
}

/**
 * @param {number[]} weights
 * @param {number} a1
 * @param {number} a3
 * @param {number} a5
 * @param {number} a7
 * @returns {number}
 */
function weighed([w1, w3, w5, w7], a1, a3, a5, a7) {
  return Math.imul(a1, w1) + Math.imul(a3, w3) + Math.imul(a5, w5) + Math.imul(a7, w7);
}
