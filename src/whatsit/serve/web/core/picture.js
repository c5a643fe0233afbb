/**
 * Opens a picture and gives it upright as 8-bit RGB, with the errors of whatsit.images: a JPEG by
 * the decoder of this app, since browsers differ there, any other by that of the browser. For a
 * page or a worker, not for Node.
 */

import { WhatsitError } from "./errors.js";
import { canvas } from "./picture/canvas.js";
import { hasSize, kindOf, sizeOf } from "./picture/header.js";
import { openJpeg } from "./picture/jpeg.js";
import { takeOrientation } from "./picture/orientation.js";
import { withoutProfile } from "./picture/profiles.js";
import { repr } from "./repr.js";
import { isAcross, stepsInto } from "./turning.js";

/** @typedef {import("./resample.js").Image} Image */
/** @typedef {import("./picture/jpeg.js").Picture} Picture */
/** @typedef {import("./picture/jpeg.js").Shrink} Shrink */
/** @typedef {import("./turning.js").Steps} Steps */

export const MAX_PIXELS = 178_956_970; // as whatsit.images has it
const MAX_BYTES = 2 ** 30;
const DAMAGED = "the file is damaged or cut short";
const FORMATS_EXPECTED = "a JPEG, PNG, WebP, GIF, BMP, AVIF or ICO file";
const EVERYWHERE = new Set(["JPEG", "PNG", "GIF", "WEBP", "BMP", "ICO"]);
/** @type {Record<string, string>} */
const NAMES = { HEIF: "HEIC", JPEG2000: "JPEG 2000" };
// A canvas may be no larger on some phones: 4096 × 4096, and 16 megapixels.
const TILE_WIDTH = 4096;
const TILE_HEIGHT = 1024;

/**
 * The picture in a file. Throws image-unreadable, image-too-large or image-unsupported.
 *
 * `shrink(height, width)` says, for the upright picture, how many of its pixels fall on one pixel
 * of what the caller needs; a JPEG is then decoded at 1/2, 1/4 or 1/8 of its size where that
 * leaves at least as many as needed.
 * @param {Blob} blob
 * @param {{maxPixels?: number, shrink?: Shrink | null}} [options]
 * @returns {Promise<Picture>}
 */
export async function decode(blob, { maxPixels = MAX_PIXELS, shrink = null } = {}) {
  const name = nameOf(blob);
  const bytes = await bytesOf(blob, name);
  const kind = kindOf(bytes);
  if (kind === null) {
    throw unreadable(`${repr(name)} is not a picture of a known kind`, {
      expected: FORMATS_EXPECTED,
    });
  }
  const size = sizeOf(kind, bytes);
  if (size === null && hasSize(kind)) {
    throw unreadable(`${repr(name)} is no valid ${kind} file`, { hint: DAMAGED });
  }
  if (size !== null) checkSize(size[0], size[1], name, maxPixels);
  const { orientation, plain } = takeOrientation(kind, bytes);
  if (kind === "JPEG" && size !== null) {
    const picture = openJpeg(bytes, size, orientation, { name: repr(name), shrink });
    if (picture !== null) return picture;
  }
  const shown = withoutProfile(kind, plain);
  const source = shown === bytes ? blob : new Blob([/** @type {BlobPart} */ (shown)]);
  const bitmap = await bitmapOf(source, kind, name);
  try {
    checkSize(bitmap.width, bitmap.height, name, maxPixels);
    const image = pixelsOf(bitmap, bitmap.width, bitmap.height, orientation);
    return { ...image, size: [image.width, image.height], within: null };
  } finally {
    bitmap.close();
  }
}

/**
 * What a canvas can draw as RGB, on white, turned as an EXIF orientation asks.
 *
 * Read in tiles, since some phones have no canvas of more than 16 megapixels.
 * @param {CanvasImageSource} source
 * @param {number} width
 * @param {number} height
 * @param {number} [orientation]
 * @returns {Image}
 */
export function pixelsOf(source, width, height, orientation = 1) {
  const data = new Uint8Array(width * height * 3);
  const steps = stepsInto(orientation, width, height);
  const [wide, high] = [Math.min(width, TILE_WIDTH), Math.min(height, TILE_HEIGHT)];
  const context = canvas(wide, high);
  for (let top = 0; top < height; top += high) {
    for (let left = 0; left < width; left += wide) {
      const [w, h] = [Math.min(wide, width - left), Math.min(high, height - top)];
      context.fillRect(0, 0, w, h);
      context.drawImage(source, -left, -top);
      const tile = context.getImageData(0, 0, w, h);
      put(tile, data, left, top, steps);
    }
  }
  const across = isAcross(orientation);
  return { width: across ? height : width, height: across ? width : height, data };
}

/**
 * RGBA, as a canvas gives it, without its fourth channel.
 * @param {number} width
 * @param {number} height
 * @param {Uint8Array | Uint8ClampedArray} rgba
 * @returns {Image}
 */
export function fromRGBA(width, height, rgba) {
  const data = new Uint8Array(width * height * 3);
  put({ width, height, data: rgba }, data, 0, 0, [0, 1, width]);
  return { width, height, data };
}

/**
 * A tile's pixels to where they belong in the upright picture.
 * @param {{width: number, height: number, data: Uint8Array | Uint8ClampedArray}} tile
 * @param {Uint8Array} data
 * @param {number} left
 * @param {number} top
 * @param {Steps} steps
 */
function put(tile, data, left, top, [corner, right, down]) {
  const { width, height, data: from } = tile;
  let at = 0;
  for (let y = 0; y < height; y += 1) {
    let to = (corner + left * right + (top + y) * down) * 3;
    for (let x = 0; x < width; x += 1) {
      data[to] = from[at];
      data[to + 1] = from[at + 1];
      data[to + 2] = from[at + 2];
      at += 4;
      to += right * 3;
    }
  }
}

/**
 * @param {Blob} blob
 * @param {string} name
 * @returns {Promise<Uint8Array>}
 */
async function bytesOf(blob, name) {
  if (blob.size > MAX_BYTES) {
    throw new WhatsitError("image-too-large", `${repr(name)} is longer than 1 GiB`);
  }
  if (blob.size === 0) {
    throw unreadable(`${repr(name)} is empty`, { expected: FORMATS_EXPECTED });
  }
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    // Moved, changed or forbidden since it was chosen.
    const reason = error instanceof Error ? error.message : String(error);
    throw unreadable(`${repr(name)} cannot be read: ${reason}`, { hint: "choose it again" });
  }
}

/**
 * The first frame, its colours as they are in the file.
 * @param {Blob} blob
 * @param {string} kind
 * @param {string} name
 * @returns {Promise<ImageBitmap>}
 */
async function bitmapOf(blob, kind, name) {
  try {
    return await createImageBitmap(blob, { colorSpaceConversion: "none" });
  } catch {
    if (EVERYWHERE.has(kind)) {
      throw unreadable(`${repr(name)} cannot be decoded`, { hint: DAMAGED });
    }
    const what = `${repr(name)} is a picture of kind ${NAMES[kind] ?? kind}`;
    throw new WhatsitError("image-unsupported", `${what}, which this browser cannot decode`, {
      expected: FORMATS_EXPECTED,
      hint: "save it as a JPEG first, unless it is damaged",
    });
  }
}

/**
 * @param {number} width
 * @param {number} height
 * @param {string} name
 * @param {number} most
 */
function checkSize(width, height, name, most) {
  if (width * height <= most) return;
  const [wide, high, limit] = [width, height, most].map((count) => count.toLocaleString("en-US"));
  throw new WhatsitError("image-too-large", `${repr(name)} has ${wide} × ${high} pixels`, {
    expected: `at most ${limit} pixels`,
    hint: "make a smaller copy first",
  });
}

/**
 * @param {string} message
 * @param {{expected?: string, hint?: string}} more
 * @returns {WhatsitError}
 */
function unreadable(message, more) {
  return new WhatsitError("image-unreadable", message, more);
}

/**
 * What to call a picture in an error: the name of its file, where it has one.
 * @param {Blob} blob
 * @returns {string}
 */
function nameOf(blob) {
  const { name } = /** @type {{name?: string}} */ (/** @type {unknown} */ (blob));
  return name || `<${blob.size} bytes>`;
}
