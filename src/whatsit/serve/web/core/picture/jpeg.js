/** Opens a JPEG as small as it is needed: `_decode_smaller` of whatsit.images. */

import { decodeJpeg } from "../jpeg/decoder.js";
import { WhatsitError } from "../errors.js";
import { isAcross, upright } from "../turning.js";

/** @typedef {import("../resample.js").Image} Image */
/** @typedef {import("../resample.js").Box} Box */
/** @typedef {(height: number, width: number) => number} Shrink */
/**
 * An image, upright; `size`, width and height, is that of the whole picture, of which the image
 * has `within`, in its own pixels (null: all of it is covered).
 * @typedef {Image & {size: [number, number], within: Box | null}} Picture
 */

const LEAST_SHRINK = 2; // below it a JPEG is decoded whole
const DENOMINATORS = [8, 4, 2];

/**
 * Null for a rare kind of JPEG that is left to the browser.
 * @param {Uint8Array} bytes
 * @param {[number, number]} size as stored, width first
 * @param {number} orientation
 * @param {{name: string, shrink?: Shrink | null}} options
 * @returns {Picture | null}
 */
export function openJpeg(bytes, [width, height], orientation, { name, shrink = null }) {
  const across = isAcross(orientation);
  const denominator = denominatorOf(width, height, across, shrink);
  const image = decoded(bytes, denominator, name);
  if (image === null) return null;
  const [right, bottom] = [width / denominator, height / denominator];
  const within = denominator === 1 ? null : coveredOf(image, right, bottom, orientation);
  /** @type {[number, number]} */
  const size = across ? [height, width] : [width, height];
  return { ...upright(image, orientation), size, within };
}

/**
 * The largest that `shrink` allows, of what Pillow's `Image.draft` would take.
 * @param {number} width
 * @param {number} height
 * @param {boolean} across
 * @param {Shrink | null} shrink
 * @returns {number}
 */
function denominatorOf(width, height, across, shrink) {
  if (shrink === null) return 1;
  const factor = across ? shrink(width, height) : shrink(height, width);
  if (!(factor >= LEAST_SHRINK)) return 1;
  const [wide, high] = [width, height].map((side) => {
    return Math.floor(side / Math.max(1, Math.trunc(side / factor)));
  });
  return DENOMINATORS.find((denominator) => Math.min(wide, high) >= denominator) ?? 1;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} denominator
 * @param {string} name
 * @returns {Image | null}
 */
function decoded(bytes, denominator, name) {
  try {
    return decodeJpeg(bytes, denominator);
  } catch (error) {
    if (!(error instanceof WhatsitError)) throw error;
    const { code, message, expected, hint } = error;
    throw new WhatsitError(code, `${name} ${message}`, { expected, hint });
  }
}

/**
 * Where (0, 0, right, bottom) of an image lies once it is upright: its last row and column may
 * hold less than a whole pixel of the picture.
 * @param {Image} image
 * @param {number} right
 * @param {number} bottom
 * @param {number} orientation
 * @returns {Box}
 */
function coveredOf({ width, height }, right, bottom, orientation) {
  const across = isAcross(orientation);
  const [wide, high] = across ? [height, width] : [width, height];
  const [column, row] = [width - right, height - bottom];
  const [acrossPart, downPart] = across ? [row, column] : [column, row];
  const isLeft = [2, 3, 7, 6].includes(orientation);
  const isTop = [3, 4, 7, 8].includes(orientation);
  return [
    isLeft ? acrossPart : 0,
    isTop ? downPart : 0,
    isLeft ? wide : wide - acrossPart,
    isTop ? high : high - downPart,
  ];
}
