/**
 * Resizing as MediaPipe Tasks has it, to the last bit, and the first TensorFlow:
 * `_resample_legacy` of whatsit.preprocess.
 */

/** @typedef {import("./resample.js").Image} Image */
/** @typedef {import("./resample.js").Box} Box */

/**
 * Two taps an axis, sampled at left + x * scale, counted from the centre of the first pixel.
 *
 * Positions are in 1/32 of a pixel, the border is repeated, and what will be turned is sampled
 * from the corner that becomes the upper left: as MediaPipe does, to the last bit.
 * @param {Image} image
 * @param {number} width
 * @param {number} height
 * @param {Box} box
 * @param {number} turns
 * @returns {Image}
 */
export function resampleLegacy(image, width, height, [left, top, right, bottom], turns) {
  const across = legacyTaps(left, right, width, image.width, turns === 2 || turns === 3);
  const down = legacyTaps(top, bottom, height, image.height, turns === 1 || turns === 2);
  const pixels = image.data;
  const data = new Uint8Array(width * height * 3);
  let to = 0;
  for (let y = 0; y < height; y += 1) {
    const upper = down.first[y] * image.width * 3;
    const lower = down.second[y] * image.width * 3;
    const partY = down.part[y];
    for (let x = 0; x < width; x += 1) {
      const partX = across.part[x];
      const x0 = across.first[x] * 3;
      const x1 = across.second[x] * 3;
      for (let c = 0; c < 3; c += 1) {
        const above = pixels[upper + x0 + c] * (32 - partX) + pixels[upper + x1 + c] * partX;
        const below = pixels[lower + x0 + c] * (32 - partX) + pixels[lower + x1 + c] * partX;
        data[to] = (above * (32 - partY) + below * partY + 512) >> 10;
        to += 1;
      }
    }
  }
  return { width, height, data };
}

/**
 * For each of `count` samples from `start` to `end`: two pixels of `size`, the second's weight.
 *
 * The weight is in 1/32. Counted backwards, samples lie at the far end of their step.
 * @param {number} start
 * @param {number} end
 * @param {number} count
 * @param {number} size
 * @param {boolean} backwards
 */
function legacyTaps(start, end, count, size, backwards) {
  const first = new Int32Array(count);
  const second = new Int32Array(count);
  const part = new Int32Array(count);
  const step = (end - start) / count;
  for (let i = 0; i < count; i += 1) {
    const place = rint((start + (i + (backwards ? 1 : 0)) * step) * 32);
    first[i] = Math.min(place >> 5, size - 1);
    second[i] = Math.min((place >> 5) + 1, size - 1);
    part[i] = place & 31;
  }
  return { first, second, part };
}

/**
 * The nearest whole number, of two the even one.
 * @param {number} value
 * @returns {number}
 */
export function rint(value) {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}
