/**
 * From a picture of any kind to the model's input pixels: whatsit.inputs.
 *
 * Exactly, as Python does to the last bit, or with the browser's own canvas, which is faster and
 * good enough for live video. Runs in the worker, and in the page where a worker has no canvas.
 */

import { WhatsitError } from "../core/errors.js";
import { decode, pixelsOf } from "../core/picture.js";
import { place, run, shrinkOf } from "../core/preprocess.js";

/** @typedef {import("../core/rule.js").Rule} Rule */
/** @typedef {import("../core/resample.js").Image} Image */
/** @typedef {import("../core/picture/jpeg.js").Picture} Picture */
/** @typedef {import("../core/picture/jpeg.js").Shrink} Shrink */
/** @typedef {import("./messages.js").Source} Source */
/** @typedef {import("./messages.js").Pixels} Pixels */
/** @typedef {import("./messages.js").Looked} Looked */
/** @typedef {import("./messages.js").Crop} Crop */
/** @typedef {ImageBitmap | VideoFrame} Frame */
/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Context */

const PAD = "rgb(127 127 127)"; // as preprocess.js fills it

/** @type {Context | null} */
let canvas = null; // of live video: made once, since a new one each time is slow

/**
 * What a model with an input of `shape`, height first, is given of a picture by this rule.
 *
 * Throws image-unreadable and the like for a bad picture.
 * @param {Source} source
 * @param {Rule} rule
 * @param {[number, number]} shape
 * @param {boolean} exact
 * @returns {Promise<Looked>}
 */
export async function look(source, rule, shape, exact) {
  const start = performance.now();
  if (!exact && isFrame(source)) {
    return { ...drawn(source, rule, shape), timings: { decode: 0, preprocess: performance.now() - start } };
  }
  const image = await imageOf(source, (height, width) => shrinkOf(rule, [height, width], shape));
  const decoded = performance.now();
  const pixels = run(rule, image, shape, { within: image.within });
  const done = performance.now();
  const [width, height] = image.size;
  return {
    pixels,
    size: [width, height],
    crop: cropOf(rule, [height, width], shape),
    timings: { decode: decoded - start, preprocess: done - decoded },
  };
}

/**
 * The picture as RGB, upright; a JPEG as small as `shrink` allows.
 * @param {Source} source
 * @param {Shrink | null} [shrink]
 * @returns {Promise<Picture>}
 */
export async function imageOf(source, shrink = null) {
  if (source instanceof Blob) return decode(source, { shrink });
  const image = isFrame(source) ? pixelsOf(source, ...sizeOf(source)) : rgbOf(source);
  return { ...image, size: [image.width, image.height], within: null };
}

/** Whether pictures can be drawn here; in a worker of an older browser they cannot. */
export function canDraw() {
  if (typeof document !== "undefined") return true;
  try {
    return new OffscreenCanvas(1, 1).getContext("2d") !== null;
  } catch {
    return false;
  }
}

/**
 * @param {unknown} source
 * @returns {source is Frame}
 */
export function isFrame(source) {
  return (
    (typeof ImageBitmap !== "undefined" && source instanceof ImageBitmap) ||
    (typeof VideoFrame !== "undefined" && source instanceof VideoFrame)
  );
}

/**
 * @param {Frame} frame
 * @param {Rule} rule
 * @param {[number, number]} shape
 */
function drawn(frame, rule, shape) {
  const [height, width] = shape;
  const [wide, high] = sizeOf(frame);
  const { box, inner } = place(rule, [high, wide], shape);
  const context = liveContext(width, height);
  if (rule.mode === "pad") {
    context.fillStyle = PAD;
    context.fillRect(0, 0, width, height);
  }
  const [left, top, right, bottom] = box;
  const from = [left * wide, top * high, (right - left) * wide, (bottom - top) * high];
  const to = [inner[0] * width, inner[1] * height];
  const size = [(inner[2] - inner[0]) * width, (inner[3] - inner[1]) * height];
  context.drawImage(frame, from[0], from[1], from[2], from[3], to[0], to[1], size[0], size[1]);
  const pixels = withoutAlpha(context.getImageData(0, 0, width, height).data);
  /** @type {[number, number]} */
  const whole = [wide, high];
  return { pixels, size: whole, crop: { left, top, right, bottom } };
}

/**
 * @param {Rule} rule
 * @param {[number, number]} size
 * @param {[number, number]} shape
 * @returns {Crop}
 */
function cropOf(rule, size, shape) {
  const [left, top, right, bottom] = place(rule, size, shape).box;
  return { left, top, right, bottom };
}

/**
 * @param {Frame} frame
 * @returns {[number, number]} width first
 */
function sizeOf(frame) {
  if ("displayWidth" in frame) return [frame.displayWidth, frame.displayHeight];
  return [frame.width, frame.height];
}

/**
 * @param {Pixels} pixels
 * @returns {Image}
 */
function rgbOf({ width, height, data }) {
  const channels = data.length / (width * height);
  if (!(width > 0 && height > 0) || (channels !== 3 && channels !== 4)) {
    throw new WhatsitError("wrong-usage", `${data.length} bytes for ${width} x ${height} pixels`, {
      expected: "3 or 4 bytes a pixel",
    });
  }
  if (channels === 4) return { width, height, data: withoutAlpha(data) };
  return { width, height, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
}

/**
 * RGBA as RGB.
 * @param {Uint8Array | Uint8ClampedArray} data
 * @returns {Uint8Array}
 */
function withoutAlpha(data) {
  const rgb = new Uint8Array((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return rgb;
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {Context}
 */
function liveContext(width, height) {
  if (canvas === null || canvas.canvas.width !== width || canvas.canvas.height !== height) {
    canvas = newContext(width, height);
    canvas.imageSmoothingEnabled = true;
    canvas.imageSmoothingQuality = "medium";
  }
  return canvas;
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {Context}
 */
function newContext(width, height) {
  const element =
    typeof document === "undefined"
      ? new OffscreenCanvas(width, height)
      : Object.assign(document.createElement("canvas"), { width, height });
  const options = { alpha: false, willReadFrequently: true };
  const context = /** @type {Context | null} */ (element.getContext("2d", options));
  if (context !== null) return context;
  throw new WhatsitError("image-too-large", `no canvas of ${width} x ${height} pixels here`, {
    expected: "a smaller picture",
  });
}
