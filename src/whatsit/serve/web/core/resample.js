/**
 * Pillow's antialiased resizing of 8-bit pictures, to the last bit: the part of
 * whatsit.preprocess that Python leaves to `Image.resize(size, filter, box=box)`.
 *
 * Each output pixel is a weighted sum along the rows, rounded to 8 bits, then along the columns;
 * the other way round for what is much taller. Weights are whole numbers of 1 / 2 ** 22. The first
 * pass makes only what the second reads.
 */

/** @typedef {import("./rule.js").Filter} Filter */
/**
 * RGB, 3 bytes a pixel, row by row.
 * @typedef {{width: number, height: number, data: Uint8Array}} Image
 */
/** @typedef {[left: number, top: number, right: number, bottom: number]} Box */
/**
 * For each output pixel the first input pixel, how many there are, and `size` weights.
 * @typedef {{size: number, starts: Int32Array, counts: Int32Array, weights: Int32Array}} Taps
 */

const PRECISION_BITS = 32 - 8 - 2; // as Pillow has them: 8 of the result, 2 for what overshoots
const HALF = 1 << (PRECISION_BITS - 1);

/** @type {Record<string, {support: number, weight: (x: number) => number}>} */
const KERNELS = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, weight: cubic },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/**
 * The part `box` of an image as one of `width` by `height`.
 * @param {Filter} filter one of Pillow's
 * @param {Image} image
 * @param {number} width
 * @param {number} height
 * @param {Box} box in pixels of the image, within it
 * @returns {Image}
 */
export function resize(filter, image, width, height, box) {
  // Pillow takes the box in single precision.
  const [left, top, right, bottom] = box.map(Math.fround);
  const cut = [left, top].every(Number.isInteger);
  if (cut && Math.fround(right - left) === width && Math.fround(bottom - top) === height) {
    return cropped(image, left, top, width, height);
  }
  const columns = width !== image.width || left !== 0 || right !== width;
  const rows = height !== image.height || top !== 0 || bottom !== height;
  const across = tapsOf(filter, image.width, left, right, width);
  const down = tapsOf(filter, image.height, top, bottom, height);
  if (!columns) return alongColumns(image, down, 0, [0, width]);
  if (!rows) return alongRows(image, across, 0, [0, height]);
  // As Pillow has it since version 13. The order shows, since each pass rounds to 8 bits.
  const taller = image.height - height;
  if (taller > 0 && taller > (image.width - width) * 2) {
    const part = extent(across);
    return alongRows(alongColumns(image, down, 0, part), across, part[0], [0, height]);
  }
  const part = extent(down);
  return alongColumns(alongRows(image, across, 0, part), down, part[0], [0, width]);
}

/**
 * @param {Image} image
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 * @returns {Image}
 */
function cropped(image, left, top, width, height) {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    const start = ((top + y) * image.width + left) * 3;
    data.set(image.data.subarray(start, start + width * 3), y * width * 3);
  }
  return { width, height, data };
}

/**
 * Which pixels of `size` make each of `count` from `start` to `end`, and how much of each.
 * @param {Filter} filter
 * @param {number} size
 * @param {number} start
 * @param {number} end
 * @param {number} count
 * @returns {Taps}
 */
function tapsOf(filter, size, start, end, count) {
  const { support, weight } = KERNELS[filter];
  const scale = Math.fround(end - start) / count;
  const stretch = Math.max(1, scale); // no narrower than a pixel where the picture grows
  const reach = support * stretch;
  const most = Math.ceil(reach) * 2 + 1;
  const taps = {
    size: most,
    starts: new Int32Array(count),
    counts: new Int32Array(count),
    weights: new Int32Array(count * most),
  };
  const shares = new Float64Array(most);
  for (let i = 0; i < count; i += 1) {
    const centre = start + (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - reach + 0.5));
    const high = Math.min(size, Math.trunc(centre + reach + 0.5));
    let sum = 0;
    for (let x = low; x < high; x += 1) {
      shares[x - low] = weight((x - centre + 0.5) * (1 / stretch));
      sum += shares[x - low];
    }
    taps.starts[i] = low;
    taps.counts[i] = high - low;
    for (let k = 0; k < high - low; k += 1) {
      taps.weights[i * most + k] = fixed(sum === 0 ? shares[k] : shares[k] / sum);
    }
  }
  return taps;
}

/**
 * A weight as a whole number, a half rounded away from 0.
 * @param {number} share
 * @returns {number}
 */
function fixed(share) {
  return Math.trunc(share * 2 ** PRECISION_BITS + (share < 0 ? -0.5 : 0.5));
}

/**
 * The first input pixel that is read, and the one after the last.
 * @param {Taps} taps
 * @returns {[number, number]}
 */
function extent(taps) {
  const last = taps.starts.length - 1;
  return [taps.starts[0], taps.starts[last] + taps.counts[last]];
}

/**
 * The rows from `first` to before `last`, resized; column 0 of `image` is column `offset` of what
 * the taps count in.
 * @param {Image} image
 * @param {Taps} taps
 * @param {number} offset
 * @param {[number, number]} rows
 * @returns {Image}
 */
function alongRows(image, taps, offset, [first, last]) {
  const { starts, counts, weights, size } = taps;
  const width = starts.length;
  const pixels = image.data;
  const data = new Uint8ClampedArray(width * (last - first) * 3);
  let to = 0;
  for (let y = first; y < last; y += 1) {
    const row = (y * image.width - offset) * 3;
    for (let x = 0; x < width; x += 1) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let from = row + starts[x] * 3;
      const end = x * size + counts[x];
      for (let k = x * size; k < end; k += 1) {
        const weight = weights[k];
        red = (red + Math.imul(pixels[from], weight)) | 0;
        green = (green + Math.imul(pixels[from + 1], weight)) | 0;
        blue = (blue + Math.imul(pixels[from + 2], weight)) | 0;
        from += 3;
      }
      data[to] = red >> PRECISION_BITS;
      data[to + 1] = green >> PRECISION_BITS;
      data[to + 2] = blue >> PRECISION_BITS;
      to += 3;
    }
  }
  return { width, height: last - first, data: new Uint8Array(data.buffer) };
}

/**
 * The columns from `first` to before `last`, resized; row 0 of `image` is row `offset` of what the
 * taps count in.
 * @param {Image} image
 * @param {Taps} taps
 * @param {number} offset
 * @param {[number, number]} columns
 * @returns {Image}
 */
function alongColumns(image, taps, offset, [first, last]) {
  const { starts, counts, weights, size } = taps;
  const height = starts.length;
  const pixels = image.data;
  const step = (last - first) * 3;
  const data = new Uint8ClampedArray(height * step);
  const sums = new Int32Array(step);
  for (let y = 0; y < height; y += 1) {
    sums.fill(HALF);
    for (let k = 0; k < counts[y]; k += 1) {
      const weight = weights[y * size + k];
      const from = ((starts[y] - offset + k) * image.width + first) * 3;
      for (let x = 0; x < step; x += 1) {
        sums[x] += Math.imul(pixels[from + x], weight);
      }
    }
    for (let x = 0; x < step; x += 1) data[y * step + x] = sums[x] >> PRECISION_BITS;
  }
  return { width: last - first, height, data: new Uint8Array(data.buffer) };
}

/**
 * Keys' cubic with a = -0.5.
 * @param {number} x
 * @returns {number}
 */
function cubic(x) {
  const a = -0.5;
  const far = Math.abs(x);
  if (far < 1) return ((a + 2) * far - (a + 3)) * far * far + 1;
  if (far < 2) return (((far - 5) * far + 8) * far - 4) * a;
  return 0;
}

/**
 * @param {number} x
 * @returns {number}
 */
function sinc(x) {
  if (x === 0) return 1;
  const angle = x * Math.PI;
  return Math.sin(angle) / angle;
}
