/** The picture that a video shows now, in the cheapest form that this browser gives right. */

import { WhatsitError } from "../core/errors.js";
import { WORDS } from "./words.js";

/** @typedef {"frame"|"bitmap"|"canvas"} Route */
/** @typedef {{width: number, height: number, data: Uint8ClampedArray}} Pixels */

/**
 * A VideoFrame is handed over without a copy. WebKit has them too, but gave wrong frames with them,
 * so it gets bitmaps; the canvas works everywhere.
 *
 * @returns {Route}
 */
export function route() {
  const chromium = /\bChrom(e|ium)\//.test(navigator.userAgent);
  if (chromium && typeof VideoFrame === "function") return "frame";
  return typeof createImageBitmap === "function" ? "bitmap" : "canvas";
}

export class Capture {
  /** @type {CanvasRenderingContext2D|null} */
  #canvas = null;

  /** @param {Route} [by] */
  constructor(by = route()) {
    this.route = by;
  }

  /**
   * What the video shows now. The next route is taken for good where one fails.
   *
   * @param {HTMLVideoElement} video
   * @returns {Promise<VideoFrame|ImageBitmap|Pixels>}
   */
  async take(video) {
    try {
      if (this.route === "frame") return new VideoFrame(video);
      if (this.route === "bitmap") return await createImageBitmap(video);
    } catch (error) {
      if (!video.videoWidth) throw unread(error);
      this.route = this.route === "frame" ? "bitmap" : "canvas";
      return this.take(video);
    }
    return this.#pixels(video);
  }

  /**
   * @param {HTMLVideoElement} video
   * @returns {Pixels}
   */
  #pixels(video) {
    const { videoWidth: width, videoHeight: height } = video;
    this.#canvas ??= document
      .createElement("canvas")
      .getContext("2d", { willReadFrequently: true, alpha: false });
    const canvas = this.#canvas;
    if (!canvas || !width) throw unread(null);
    if (canvas.canvas.width !== width) canvas.canvas.width = width;
    if (canvas.canvas.height !== height) canvas.canvas.height = height;
    canvas.drawImage(video, 0, 0);
    return { width, height, data: canvas.getImageData(0, 0, width, height).data };
  }
}

/** @param {unknown} error */
function unread(error) {
  const hint = error instanceof Error ? error.message : "";
  return new WhatsitError("image-unreadable", WORDS.errors.capture, { hint });
}
