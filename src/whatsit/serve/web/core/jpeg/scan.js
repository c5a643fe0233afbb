/** Reads the blocks of one scan, through restart markers and damaged data, as libjpeg does. */

import { broken } from "./faults.js";
import { planesOf } from "./planes.js";
import { blockReader } from "./progressive.js";
import { readBlock } from "./sequential.js";

/** @typedef {import("./planes.js").Layout} Layout */
/** @typedef {import("./segments.js").Frame} Frame */
/** @typedef {import("./segments.js").Segments} Segments */

const MOST_BLOCKS = 10; // in a unit

export class Scan {
  /**
   * @param {Segments} segments
   * @param {import("./segments.js").Scan} scan
   * @param {Layout} layout
   */
  constructor(segments, scan, layout) {
    this.layout = layout;
    this.bits = segments.bits;
    this.interval = segments.interval;
    this.left = this.interval; // units up to the next restart marker
    this.isDry = false; // nothing is read until then
    this.planes = planesOf(segments, scan, layout);
    const { progressive } = /** @type {Frame} */ (segments.frame);
    this.newReader = progressive ? () => blockReader(scan) : () => readBlock;
    this.read = this.newReader();
    const blocks = this.planes.reduce((sum, { h, v }) => sum + h * v, 0);
    if (this.planes.length > 1 && blocks > MOST_BLOCKS) throw broken("its units are too large");
  }

  /**
   * Reads a row of units.
   * @param {number} unit
   * @param {boolean} isOnly whether `blocks` of the planes hold this row alone
   */
  readRow(unit, isOnly) {
    if (this.isDry && this.interval === 0) return;
    if (this.planes.length === 1) {
      this.#readAlone(unit, isOnly);
      return;
    }
    for (let column = 0; column < this.layout.wide; column += 1) {
      if (!this.#begins()) continue;
      for (const plane of this.planes) {
        const top = isOnly ? 0 : unit * plane.v;
        for (let y = top; y < top + plane.v; y += 1) {
          const from = y * plane.blockStride + column * plane.h;
          for (let at = from; at < from + plane.h; at += 1) {
            this.read(this.bits, plane, plane.blocks, at * 64);
          }
        }
      }
      this.isDry = this.bits.isDry;
    }
  }

  /**
   * A scan of one channel has the blocks of the picture alone, each a unit of its own.
   * @param {number} unit
   * @param {boolean} isOnly
   */
  #readAlone(unit, isOnly) {
    const [plane] = this.planes;
    const top = unit * plane.v;
    const end = Math.min(top + plane.v, plane.blocksHigh);
    for (let y = top; y < end; y += 1) {
      const from = (isOnly ? y - top : y) * plane.blockStride;
      for (let at = from; at < from + plane.blocksWide; at += 1) {
        if (!this.#begins()) continue;
        this.read(this.bits, plane, plane.blocks, at * 64);
        this.isDry = this.bits.isDry;
      }
    }
  }

  /** Whether the next unit is there to be read. */
  #begins() {
    if (this.interval > 0) {
      if (this.left === 0) this.#restart();
      this.left -= 1;
    }
    return !this.isDry;
  }

  #restart() {
    this.bits.restart();
    for (const plane of this.planes) plane.level = 0;
    this.read = this.newReader();
    this.left = this.interval;
    if (this.bits.marker === 0) this.isDry = false;
  }
}
