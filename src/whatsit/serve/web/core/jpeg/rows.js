/** From planes to rows of RGB: libjpeg's "fancy" upsampling and its integer colours. */

import { broken } from "./faults.js";

/** @typedef {import("./planes.js").Plane} Plane */
/** @typedef {import("./planes.js").Layout} Layout */
/** @typedef {(plane: Plane, y: number, row: Uint8Array) => void} Upsample */

const HALF = 1 << 15;
const RED_OF_CR = colours(1.402, HALF, 16);
const BLUE_OF_CB = colours(1.772, HALF, 16);
const GREEN_OF_CR = colours(-0.71414, 0, 0);
const GREEN_OF_CB = colours(-0.34414, HALF, 0);

/**
 * @param {number} weight
 * @param {number} added
 * @param {number} shift
 * @returns {Int32Array}
 */
function colours(weight, added, shift) {
  const fixed = Math.sign(weight) * Math.round(Math.abs(weight) * 65536);
  return Int32Array.from({ length: 256 }, (_, level) => (fixed * (level - 128) + added) >> shift);
}

export class Rows {
  /**
   * @param {Layout} layout
   * @param {boolean} isRgb whether the channels are red, green and blue
   */
  constructor(layout, isRgb) {
    const { width, height, side, maxH, maxV, planes } = layout;
    this.layout = layout;
    this.isRgb = isRgb;
    this.data = new Uint8ClampedArray(width * height * 3);
    this.done = 0; // rows
    this.parts = planes.map((plane) => {
      const across = (maxH * side) / (plane.h * plane.side);
      const down = (maxV * side) / (plane.v * plane.side);
      if (across % 1 !== 0 || down % 1 !== 0) throw broken("its channels do not fit each other");
      const row = new Uint8Array((plane.stride + 1) * across);
      return { plane, row, upsample: upsampling(plane, across, down, side > 1) };
    });
  }

  /**
   * Makes what can be made once a row of units is there: a row that needs the next one waits.
   * @param {number} units how many rows of units there are
   */
  upTo(units) {
    const { height, maxV, side, high } = this.layout;
    const end = units === high ? height : units * maxV * side - maxV;
    const { parts, data } = this;
    const [first, second, third] = parts;
    const step = this.layout.width * 3;
    for (; this.done < end; this.done += 1) {
      for (const { plane, row, upsample } of parts) upsample(plane, this.done, row);
      const to = this.done * step;
      if (parts.length === 1) grey(first.row, data, to, step);
      else if (this.isRgb) interleaved(first.row, second.row, third.row, data, to, step);
      else converted(first.row, second.row, third.row, data, to, step);
    }
  }
}

/**
 * @param {Plane} plane
 * @param {number} across how many pixels a sample gives
 * @param {number} down
 * @param {boolean} smooth
 * @returns {Upsample}
 */
function upsampling(plane, across, down, smooth) {
  if (smooth && across === 1 && down === 2) return between;
  if (smooth && across === 2 && down <= 2 && plane.width > 2) return down === 1 ? wider : larger;
  return (_, y, row) => repeated(plane, Math.floor(y / down), across, row);
}

/**
 * Where row `y` of a plane begins, or the nearest that it has.
 * @param {Plane} plane
 * @param {number} y
 * @returns {number}
 */
function startOf(plane, y) {
  return (Math.max(0, Math.min(y, plane.height - 1)) % plane.rows) * plane.stride;
}

/**
 * @param {Plane} plane
 * @param {number} y
 * @param {number} across
 * @param {Uint8Array} row
 */
function repeated(plane, y, across, row) {
  const { samples, width } = plane;
  const start = startOf(plane, y);
  if (across === 1) {
    row.set(samples.subarray(start, start + width));
    return;
  }
  for (let x = 0, to = 0; x < width; x += 1) {
    for (let i = 0; i < across; i += 1, to += 1) row[to] = samples[start + x];
  }
}

/** @type {Upsample} twice as wide */
function wider(plane, y, row) {
  const { samples, width } = plane;
  let at = startOf(plane, y);
  row[0] = samples[at];
  row[1] = (samples[at] * 3 + samples[at + 1] + 2) >> 2;
  let to = 2;
  for (const end = at + width - 1; ++at < end; to += 2) {
    const value = samples[at] * 3;
    row[to] = (value + samples[at - 1] + 1) >> 2;
    row[to + 1] = (value + samples[at + 1] + 2) >> 2;
  }
  row[to] = (samples[at] * 3 + samples[at - 1] + 1) >> 2;
  row[to + 1] = samples[at];
}

/** @type {Upsample} twice as high */
function between(plane, y, row) {
  const { samples, width } = plane;
  const near = startOf(plane, y >> 1);
  const far = startOf(plane, y % 2 === 0 ? (y >> 1) - 1 : (y >> 1) + 1);
  const added = y % 2 === 0 ? 1 : 2;
  for (let x = 0; x < width; x += 1) {
    row[x] = (samples[near + x] * 3 + samples[far + x] + added) >> 2;
  }
}

/** @type {Upsample} twice as wide and as high */
function larger(plane, y, row) {
  const { samples, width } = plane;
  const near = startOf(plane, y >> 1);
  const far = startOf(plane, y % 2 === 0 ? (y >> 1) - 1 : (y >> 1) + 1);
  let before = 0;
  let here = samples[near] * 3 + samples[far];
  let next = samples[near + 1] * 3 + samples[far + 1];
  row[0] = (here * 4 + 8) >> 4;
  row[1] = (here * 3 + next + 7) >> 4;
  let to = 2;
  for (let x = 2; x < width; x += 1, to += 2) {
    before = here;
    here = next;
    next = samples[near + x] * 3 + samples[far + x];
    row[to] = (here * 3 + before + 8) >> 4;
    row[to + 1] = (here * 3 + next + 7) >> 4;
  }
  row[to] = (next * 3 + here + 8) >> 4;
  row[to + 1] = (next * 4 + 7) >> 4;
}

/**
 * @param {Uint8Array} levels
 * @param {Uint8ClampedArray} data
 * @param {number} to
 * @param {number} step
 */
function grey(levels, data, to, step) {
  for (let x = 0, end = to + step; to < end; x += 1, to += 3) {
    data[to] = levels[x];
    data[to + 1] = levels[x];
    data[to + 2] = levels[x];
  }
}

/**
 * @param {Uint8Array} red
 * @param {Uint8Array} green
 * @param {Uint8Array} blue
 * @param {Uint8ClampedArray} data
 * @param {number} to
 * @param {number} step
 */
function interleaved(red, green, blue, data, to, step) {
  for (let x = 0, end = to + step; to < end; x += 1, to += 3) {
    data[to] = red[x];
    data[to + 1] = green[x];
    data[to + 2] = blue[x];
  }
}

/**
 * @param {Uint8Array} lightness
 * @param {Uint8Array} cb
 * @param {Uint8Array} cr
 * @param {Uint8ClampedArray} data
 * @param {number} to
 * @param {number} step
 */
function converted(lightness, cb, cr, data, to, step) {
  for (let x = 0, end = to + step; to < end; x += 1, to += 3) {
    const level = lightness[x];
    data[to] = level + RED_OF_CR[cr[x]];
    data[to + 1] = level + ((GREEN_OF_CB[cb[x]] + GREEN_OF_CR[cr[x]]) >> 16);
    data[to + 2] = level + BLUE_OF_CB[cb[x]];
  }
}
