/**
 * Decodes JPEG to the same pixels as Pillow does with libjpeg-turbo, to the last bit: baseline and
 * progressive, 8 bits, grey or three channels, whole or at 1/2, 1/4 or 1/8 of its size. Browsers
 * differ from it and from each other. After ITU T.81.
 */

import { WhatsitError } from "../errors.js";
import { LeftToBrowser, broken } from "./faults.js";
import { layoutOf } from "./planes.js";
import { Rows } from "./rows.js";
import { Scan } from "./scan.js";
import { Segments } from "./segments.js";

/** @typedef {import("../resample.js").Image} Image */
/** @typedef {import("./planes.js").Layout} Layout */
/** @typedef {import("./segments.js").Frame} Frame */
/** @typedef {import("./segments.js").Scan} Described */

const MOST_SCANS = 500; // more can keep a decoder busy for hours with a small file
const DEEPEST_SHIFT = 13;
const GUESSED = 10; // coefficients that libjpeg makes up where a progressive file has not all

/**
 * The pixels of a file, at 1 / `denominator` of its size; null where it is of a rare kind that is
 * left to the browser.
 *
 * Throws image-unreadable for a damaged file and, as browsers do not, for one that is cut short.
 * @param {Uint8Array} bytes
 * @param {number} [denominator] 1, 2, 4 or 8
 * @returns {Image | null}
 */
export function decodeJpeg(bytes, denominator = 1) {
  try {
    return decoded(new Segments(bytes), denominator);
  } catch (error) {
    if (error instanceof LeftToBrowser) return null;
    if (!(error instanceof RangeError)) throw error;
    throw new WhatsitError("image-too-large", "does not fit into memory");
  }
}

/**
 * @param {Segments} segments
 * @param {number} denominator
 * @returns {Image}
 */
function decoded(segments, denominator) {
  const scan = segments.next();
  const { frame } = segments;
  if (scan === null || frame === null) throw broken("it has no pixels");
  const layout = layoutOf(frame, denominator);
  const rows = new Rows(layout, isRgb(segments));
  if (frame.progressive || scan.parts.length < frame.channels.length) {
    readScans(segments, frame, scan, layout);
    for (let unit = 0; unit < layout.high; unit += 1) {
      for (const plane of layout.planes) plane.transform(unit, unit * plane.v);
      rows.upTo(unit + 1);
    }
  } else {
    readAtOnce(segments, scan, layout, rows);
  }
  return { width: layout.width, height: layout.height, data: new Uint8Array(rows.data.buffer) };
}

/**
 * Whether the channels are red, green and blue, and no YCbCr.
 * @param {Segments} segments
 * @returns {boolean}
 */
function isRgb({ jfif, adobe, frame }) {
  if (jfif) return false;
  if (adobe >= 0) return adobe === 0;
  return frame?.channels.map(({ id }) => String.fromCharCode(id)).join("") === "RGB";
}

/**
 * The only scan of a file: a row of units at a time, so that little is kept.
 * @param {Segments} segments
 * @param {Described} described
 * @param {Layout} layout
 * @param {Rows} rows
 */
function readAtOnce(segments, described, layout, rows) {
  const scan = new Scan(segments, described, layout);
  for (const plane of layout.planes) plane.reserve(plane.v);
  for (let unit = 0; unit < layout.high; unit += 1) {
    for (const plane of layout.planes) plane.blocks.fill(0);
    scan.readRow(unit, true);
    for (const plane of layout.planes) plane.transform(unit, 0);
    rows.upTo(unit + 1);
  }
  if (segments.next() !== null) throw broken("it goes on after its last row");
}

/**
 * All scans of a file, up to its end.
 * @param {Segments} segments
 * @param {Frame} frame
 * @param {Described} first
 * @param {Layout} layout
 */
function readScans(segments, frame, first, layout) {
  const shifts = layout.planes.map(() => new Int8Array(64).fill(-1));
  for (const plane of layout.planes) plane.reserve(layout.high * plane.v);
  let count = 0;
  /** @type {Described | null} */
  let described = first;
  for (; described !== null; described = segments.next()) {
    count += 1;
    if (count > MOST_SCANS) throw broken("it has too many scans");
    if (frame.progressive) checkProgress(described);
    for (const { channel } of described.parts) {
      shifts[channel].fill(described.shift, described.first, described.last + 1);
    }
    const scan = new Scan(segments, described, layout);
    for (let unit = 0; unit < layout.high; unit += 1) scan.readRow(unit, false);
  }
  const isWhole = shifts.every((part) => part.subarray(1, GUESSED).every((shift) => shift === 0));
  if (frame.progressive && !isWhole) throw new LeftToBrowser();
}

/**
 * @param {Described} scan
 */
function checkProgress({ parts, first, last, before, shift }) {
  const isBand = first > 0 ? last >= first && last < 64 && parts.length === 1 : last === 0;
  if (!isBand || shift > DEEPEST_SHIFT || (before > 0 && shift !== before - 1)) {
    throw broken("a scan has wrong limits");
  }
}
