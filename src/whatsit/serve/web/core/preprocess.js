/** From a picture to the model's input pixels by a rule: whatsit.preprocess, to the last bit. */

import { WhatsitError } from "./errors.js";
import { resampleLegacy, rint } from "./legacy.js";
import { repr } from "./repr.js";
import { resize } from "./resample.js";
import { upright } from "./turning.js";

/** @typedef {import("./rule.js").Rule} Rule */
/** @typedef {import("./rule.js").Filter} Filter */
/** @typedef {import("./resample.js").Image} Image */
/** @typedef {import("./resample.js").Box} Box */
/** @typedef {[height: number, width: number]} Shape */
/**
 * `region` is left, top, right, bottom as fractions of the upright picture; `rotation` turns that
 * region clockwise by a multiple of 90 degrees, before the rule is applied. `within` is the part of
 * the image, in its pixels, that the picture covers (default: all).
 * @typedef {{region?: Box | null, rotation?: number, within?: Box | null}} View
 */
/**
 * What became of a picture: its part `box` became the part `inner` of the input, both as
 * fractions, after `turns` quarter turns clockwise.
 * @typedef {{box: Box, inner: Box, turns: number}} Placement
 */

const SMALLEST_REGION = 1e-6; // thinner ones vanish when they are rounded
const TURNED = [1, 6, 3, 8]; // quarter turns clockwise → the EXIF orientation that asks for them
const PAD_LEVEL = 127; // the middle of 0…255: nearly zero once the mean is taken off
const KEPT_PIXELS = 1.4; // a side, for one of the input, that scaled decoding leaves at least

/**
 * How many times smaller than `size`, height and width, a picture may be decoded for `shape`.
 * @param {Rule} rule
 * @param {Shape} size
 * @param {Shape} shape
 * @param {View} view
 * @returns {number}
 */
export function shrinkOf(rule, size, shape, { region = null, rotation = 0 } = {}) {
  if (rule.filter === "legacy-bilinear") return 1; // it takes single pixels
  const [left, top, right, bottom] = boxOf([0, 0, size[1], size[0]], region);
  const [height, width] = unturned(shape, turnsOf(rotation));
  const [down, across] = [(bottom - top) / height, (right - left) / width];
  if (rule.mode === "pad") return Math.max(down, across) / KEPT_PIXELS;
  return (Math.min(down, across) * rule.fraction) / KEPT_PIXELS;
}

/**
 * Cuts and resizes a picture to height * width * 3 bytes of RGB.
 * @param {Rule} rule
 * @param {Image} image
 * @param {Shape} shape
 * @param {View} view
 * @returns {Uint8Array}
 */
export function run(rule, image, shape, { region = null, rotation = 0, within = null } = {}) {
  const turns = turnsOf(rotation);
  let box = boxOf(within ?? [0, 0, image.width, image.height], region);
  if (rule.mode === "crop") box = centred(box, unturned(shape, turns), rule.fraction);
  if (rule.mode === "pad") return padded(rule.filter, image, shape, box, turns);
  return resample(rule.filter, image, shape, box, turns).data;
}

/**
 * Where `run` takes the input of that shape from, of a picture of `size`, height and width.
 * @param {Rule} rule
 * @param {Shape} size
 * @param {Shape} shape
 * @param {View} view
 * @returns {Placement}
 */
export function place(rule, size, shape, { region = null, rotation = 0 } = {}) {
  const turns = turnsOf(rotation);
  const [high, wide] = size;
  let box = boxOf([0, 0, wide, high], region);
  if (rule.mode === "crop") box = centred(box, unturned(shape, turns), rule.fraction);
  /** @type {Box} */
  let inner = [0, 0, 1, 1];
  if (rule.mode === "pad") {
    const [height, width] = shape;
    const bars = barsOf(box, shape, turns);
    inner = [
      bars.left / width,
      bars.top / height,
      (bars.left + bars.width) / width,
      (bars.top + bars.height) / height,
    ];
  }
  return { box: [box[0] / wide, box[1] / high, box[2] / wide, box[3] / high], inner, turns };
}

/**
 * Throws wrong-usage unless 0 <= left < right <= 1, 0 <= top < bottom <= 1, none too thin.
 * @param {readonly number[] | null} region
 */
export function checkRegion(region) {
  if (region === null) return;
  if (region.length === 4) {
    const [left, top, right, bottom] = region;
    const inside = left >= 0 && right <= 1 && top >= 0 && bottom <= 1;
    if (inside && Math.min(right - left, bottom - top) >= SMALLEST_REGION) return;
  }
  throw new WhatsitError("wrong-usage", `(${region.map(repr).join(", ")}) is not a region`, {
    expected: "left, top, right, bottom as fractions of the picture from 0 to 1",
    hint: "the upper left quarter is (0, 0, 0.5, 0.5)",
  });
}

/**
 * Throws wrong-usage unless `rotation` is a multiple of 90.
 * @param {number} rotation
 */
export function checkRotation(rotation) {
  if (rotation % 90 === 0) return;
  throw new WhatsitError("wrong-usage", `cannot rotate by ${repr(rotation)} degrees`, {
    expected: "a multiple of 90, clockwise",
  });
}

/**
 * A region, in the pixels that the picture is given in; all of it where there is none.
 * @param {Box} picture
 * @param {Box | null} region
 * @returns {Box}
 */
function boxOf(picture, region) {
  if (region === null) return picture;
  const [startX, startY, endX, endY] = picture;
  const [width, height] = [endX - startX, endY - startY];
  const [left, top, right, bottom] = region;
  // min: rounding must not carry the box over the border.
  return [
    startX + left * width,
    startY + top * height,
    Math.min(startX + right * width, endX),
    Math.min(startY + bottom * height, endY),
  ];
}

/**
 * Quarter turns clockwise, 0 to 3.
 * @param {number} rotation
 * @returns {number}
 */
function turnsOf(rotation) {
  return ((Math.floor(rotation / 90) % 4) + 4) % 4;
}

/**
 * The height and width of what has `shape` after `turns` quarter turns.
 * @param {Shape} shape
 * @param {number} turns
 * @returns {Shape}
 */
function unturned([height, width], turns) {
  return turns % 2 === 1 ? [width, height] : [height, width];
}

/**
 * The largest part of `box` with the shape's aspect ratio, centred, times `fraction`.
 * @param {Box} box
 * @param {Shape} shape
 * @param {number} fraction
 * @returns {Box}
 */
function centred([left, top, right, bottom], [height, width], fraction) {
  const scale = Math.min((right - left) / width, (bottom - top) / height) * fraction;
  const middleX = (left + right) / 2;
  const middleY = (top + bottom) / 2;
  const halfX = (width * scale) / 2;
  const halfY = (height * scale) / 2;
  return [
    Math.max(left, middleX - halfX),
    Math.max(top, middleY - halfY),
    Math.min(right, middleX + halfX),
    Math.min(bottom, middleY + halfY),
  ];
}

/**
 * `box` of the picture, resized and turned so that it has the shape.
 * @param {Filter} filter
 * @param {Image} image
 * @param {Shape} shape
 * @param {Box} box
 * @param {number} turns
 * @returns {Image}
 */
function resample(filter, image, shape, box, turns) {
  const [height, width] = unturned(shape, turns);
  const resized =
    filter === "legacy-bilinear"
      ? resampleLegacy(image, width, height, box, turns)
      : resize(filter, image, width, height, box);
  return upright(resized, TURNED[turns]);
}

/**
 * @param {Filter} filter
 * @param {Image} image
 * @param {Shape} shape
 * @param {Box} box
 * @param {number} turns
 * @returns {Uint8Array}
 */
function padded(filter, image, shape, box, turns) {
  const [height, width] = shape;
  const bars = barsOf(box, shape, turns);
  const inner = resample(filter, image, [bars.height, bars.width], box, turns);
  const data = new Uint8Array(height * width * 3).fill(PAD_LEVEL);
  for (let y = 0; y < inner.height; y += 1) {
    const row = inner.data.subarray(y * inner.width * 3, (y + 1) * inner.width * 3);
    data.set(row, ((bars.top + y) * width + bars.left) * 3);
  }
  return data;
}

/**
 * Where the picture lies between the bars of the input, in its pixels.
 * @param {Box} box
 * @param {Shape} shape
 * @param {number} turns
 */
function barsOf([left, top, right, bottom], [height, width], turns) {
  const [boxHeight, boxWidth] = unturned([bottom - top, right - left], turns);
  const scale = Math.max(boxWidth / width, boxHeight / height);
  const high = Math.max(1, rint(boxHeight / scale));
  const wide = Math.max(1, rint(boxWidth / scale));
  return {
    top: Math.floor((height - high) / 2),
    left: Math.floor((width - wide) / 2),
    height: high,
    width: wide,
  };
}
