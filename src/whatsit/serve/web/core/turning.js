/** Turned and mirrored pictures: where each pixel of the result comes from. */

/** @typedef {import("./resample.js").Image} Image */
/** @typedef {[corner: number, right: number, down: number]} Steps */

/** EXIF orientation → that of the way back. */
const BACK = [1, 1, 2, 3, 4, 5, 8, 7, 6];

/**
 * Whether a picture of this EXIF orientation has its sides exchanged when it is upright.
 * @param {number} orientation
 * @returns {boolean}
 */
export function isAcross(orientation) {
  return orientation > 4;
}

/**
 * Of a picture stored with an EXIF orientation, from 1 (upright) to 8: which of its pixels is the
 * upper left one when it is upright, and how many pixels further the next to the right and the
 * next below lie.
 * @param {number} orientation
 * @param {number} width as stored
 * @param {number} height
 * @returns {Steps}
 */
export function stepsOf(orientation, width, height) {
  const last = width * height - 1;
  const lowest = last - width + 1;
  /** @type {Steps[]} */
  const steps = [
    [0, 1, width],
    [width - 1, -1, width],
    [last, -1, -width],
    [lowest, 1, -width],
    [0, width, 1],
    [lowest, -width, 1],
    [last, -width, -1],
    [width - 1, width, -1],
  ];
  return steps[orientation - 1] ?? steps[0];
}

/**
 * The same the other way: where the pixels of the stored picture go in the upright one.
 * @param {number} orientation
 * @param {number} width as stored
 * @param {number} height
 * @returns {Steps}
 */
export function stepsInto(orientation, width, height) {
  const [wide, high] = isAcross(orientation) ? [height, width] : [width, height];
  return stepsOf(BACK[orientation] ?? 1, wide, high);
}

/**
 * An RGB picture made upright.
 * @param {Image} image
 * @param {number} orientation
 * @returns {Image}
 */
export function upright(image, orientation) {
  if (orientation === 1) return image;
  const { width, height, data: from } = image;
  const [corner, right, down] = stepsOf(orientation, width, height);
  const [wide, high] = isAcross(orientation) ? [height, width] : [width, height];
  const data = new Uint8Array(from.length);
  let to = 0;
  for (let y = 0; y < high; y += 1) {
    let at = (corner + y * down) * 3;
    for (let x = 0; x < wide; x += 1) {
      data[to] = from[at];
      data[to + 1] = from[at + 1];
      data[to + 2] = from[at + 2];
      to += 3;
      at += right * 3;
    }
  }
  return { width: wide, height: high, data };
}
