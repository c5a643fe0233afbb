/** A canvas that pictures are drawn on and read from, in a page or a worker. */

import { WhatsitError } from "../errors.js";

/** @typedef {OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D} Context */

/**
 * A white canvas to read from; that of a page where a worker's has no 2D.
 * @param {number} width
 * @param {number} height
 * @returns {Context}
 */
export function canvas(width, height) {
  /** @type {CanvasRenderingContext2DSettings} */
  const options = { alpha: false, willReadFrequently: true, colorSpace: "srgb" };
  const drawn = offscreen(width, height, options) ?? onPage(width, height, options);
  if (drawn === null) {
    const message = "this browser has no canvas to read pictures from";
    throw new WhatsitError("runtime-unavailable", message, { hint: "update the browser" });
  }
  drawn.fillStyle = "#fff";
  drawn.imageSmoothingEnabled = false;
  return drawn;
}

/**
 * @param {number} width
 * @param {number} height
 * @param {CanvasRenderingContext2DSettings} options
 * @returns {Context | null}
 */
function offscreen(width, height, options) {
  if (typeof OffscreenCanvas === "undefined") return null;
  return new OffscreenCanvas(width, height).getContext("2d", options);
}

/**
 * @param {number} width
 * @param {number} height
 * @param {CanvasRenderingContext2DSettings} options
 * @returns {Context | null}
 */
function onPage(width, height, options) {
  if (typeof document === "undefined") return null;
  const element = Object.assign(document.createElement("canvas"), { width, height });
  return element.getContext("2d", options);
}
