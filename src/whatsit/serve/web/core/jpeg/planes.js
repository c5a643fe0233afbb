/** The planes of a JPEG, one a channel: how large they are, and how many samples are kept. */

import { LeftToBrowser, broken } from "./faults.js";
import { TRANSFORMS } from "./idct.js";
import { tableOf } from "./huffman.js";

/** @typedef {import("./huffman.js").Table} Table */
/** @typedef {import("./segments.js").Frame} Frame */
/** @typedef {import("./segments.js").Scan} Scan */
/** @typedef {import("./segments.js").Segments} Segments */
/**
 * The picture as it will be: `side` samples of each 8, units of `maxH` by `maxV` blocks.
 * @typedef {{width: number, height: number, side: number, maxH: number, maxV: number,
 *   wide: number, high: number, planes: Plane[]}} Layout
 */

const NO_TABLE = tableOf(new Uint8Array(16), new Uint8Array(256));

/** One channel: its blocks, and its samples of the two last rows of units. */
export class Plane {
  /**
   * @param {Frame} frame
   * @param {number} index of the channel
   * @param {Omit<Layout, "planes">} layout
   */
  constructor(frame, index, { side, maxH, maxV, wide, high }) {
    const { h, v } = frame.channels[index];
    this.h = h;
    this.v = v;
    this.side = sideOf(side, maxH / h, maxV / v);
    this.transformed = TRANSFORMS[this.side];
    /** @type {Uint16Array} */
    this.quantiser = new Uint16Array(64);
    this.isQuantised = false;
    this.width = Math.ceil((frame.width * h * this.side) / (maxH * 8));
    this.height = Math.ceil((frame.height * v * this.side) / (maxV * 8));
    // Blocks that hold samples of the picture, and those of whole units.
    this.blocksWide = Math.ceil((frame.width * h) / (maxH * 8));
    this.blocksHigh = Math.ceil((frame.height * v) / (maxV * 8));
    this.blockStride = wide * h;
    this.stride = this.blockStride * this.side;
    this.rows = Math.min(2, high) * v * this.side;
    this.samples = new Uint8ClampedArray(this.stride * this.rows);
    this.blocks = new Int16Array(0);
    // Of the scan that is read.
    this.level = 0;
    this.dc = NO_TABLE;
    this.ac = NO_TABLE;
  }

  /**
   * Room for the coefficients of so many rows of blocks.
   * @param {number} rows
   */
  reserve(rows) {
    this.blocks = new Int16Array(this.blockStride * rows * 64);
  }

  /**
   * The samples of a row of units, of which the first row of blocks is given.
   * @param {number} unit
   * @param {number} row
   */
  transform(unit, row) {
    const { blocks, quantiser, samples, side, stride, blockStride } = this;
    for (let y = 0; y < this.v; y += 1) {
      let at = (row + y) * blockStride * 64;
      let to = (((unit * this.v + y) * side) % this.rows) * stride;
      for (const end = at + blockStride * 64; at < end; at += 64, to += side) {
        this.transformed(blocks, at, quantiser, samples, to, stride);
      }
    }
  }
}

/**
 * @param {Frame} frame
 * @param {number} denominator 1, 2, 4 or 8
 * @returns {Layout}
 */
export function layoutOf(frame, denominator) {
  const { channels } = frame;
  const maxH = Math.max(...channels.map(({ h }) => h));
  const maxV = Math.max(...channels.map(({ v }) => v));
  const layout = {
    width: Math.ceil(frame.width / denominator),
    height: Math.ceil(frame.height / denominator),
    side: 8 / denominator,
    maxH,
    maxV,
    wide: Math.ceil(frame.width / (maxH * 8)),
    high: Math.ceil(frame.height / (maxV * 8)),
  };
  return { ...layout, planes: channels.map((_, i) => new Plane(frame, i, layout)) };
}

/**
 * How many samples of 8 a channel keeps: the more, the less often it was sampled.
 * @param {number} side
 * @param {number} across how many times less often than the others
 * @param {number} down
 * @returns {number}
 */
function sideOf(side, across, down) {
  let kept = side;
  while (kept < 8 && (across * side) % (kept * 2) === 0 && (down * side) % (kept * 2) === 0) {
    kept *= 2;
  }
  return kept;
}

/**
 * The planes of a scan, with the tables that stand before it.
 * @param {Segments} segments
 * @param {Scan} scan
 * @param {Layout} layout
 * @returns {Plane[]}
 */
export function planesOf(segments, scan, layout) {
  const { progressive, channels } = /** @type {Frame} */ (segments.frame);
  return scan.parts.map(({ channel, dc, ac }) => {
    const plane = layout.planes[channel];
    if (!plane.isQuantised) {
      const quantiser = segments.quantisers[channels[channel].quantiser];
      if (quantiser === undefined) throw broken("a quantisation table is missing");
      plane.quantiser = quantiser;
      plane.isQuantised = true;
    }
    plane.level = 0;
    const isBegun = scan.first === 0 && scan.before === 0;
    if (!progressive || isBegun) plane.dc = tableFor(segments.dc[dc], 15);
    if (!progressive || scan.first > 0) plane.ac = tableFor(segments.ac[ac], 255);
    return plane;
  });
}

/**
 * @param {Table | undefined} table
 * @param {number} largest
 * @returns {Table}
 */
function tableFor(table, largest) {
  // Frames of some films leave the usual ones out.
  if (table === undefined) throw new LeftToBrowser();
  if (table.largest > largest) throw broken("its code tables are damaged");
  return table;
}
