/** The frame: a camera's picture, a video or an image, where it lies, and what the model sees of it. */

import { h } from "./dom.js";
import { cropOf, mirrored, placed } from "./fit.js";

/** @typedef {import("./fit.js").Size} Size */

export class Frame {
  video = h("video", { playsinline: true, muted: true, autoplay: true, tabindex: "-1" });
  image = h("img", { alt: "" });
  #outline = h("div", { class: "outline", "aria-hidden": "true" });
  #url = "";

  /** @param {() => void} resized called when the size of what is shown has become known */
  constructor(resized) {
    this.element = h("div", { class: "frame" }, this.video, this.image, this.#outline);
    this.video.muted = true; // the attribute alone does not do it for an element made by a script
    this.video.addEventListener("loadedmetadata", resized);
    this.video.addEventListener("resize", resized);
    this.image.addEventListener("load", resized);
  }

  /** Of what is shown; of a video as it is shown upright. @returns {Size} */
  get size() {
    if (!this.image.hidden) {
      return { width: this.image.naturalWidth, height: this.image.naturalHeight };
    }
    return { width: this.video.videoWidth, height: this.video.videoHeight };
  }

  /**
   * @param {Blob} blob
   * @param {string} words What it shows, for those who do not see it.
   */
  showImage(blob, words) {
    this.#url = URL.createObjectURL(blob);
    this.image.src = this.#url;
    this.image.alt = words;
  }

  /** @param {Blob} blob */
  showVideo(blob) {
    this.#url = URL.createObjectURL(blob);
    this.video.src = this.#url;
    this.video.loop = true;
  }

  /** @param {"video"|"image"|null} which is to be seen */
  reveal(which) {
    this.video.hidden = which !== "video";
    this.image.hidden = which !== "image";
    this.#outline.hidden = true;
  }

  /** Takes down whatever is in it. */
  empty() {
    this.video.pause();
    this.video.srcObject = null;
    this.video.removeAttribute("src");
    this.video.loop = false;
    this.image.removeAttribute("src");
    this.image.alt = "";
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = "";
  }

  /**
   * Draws the part that the model sees.
   *
   * @param {import("./types.js").Crop|null} crop Null hides it.
   * @param {boolean} isMirrored
   */
  drawOutline(crop, isMirrored) {
    const shown = crop !== null && this.size.width > 0;
    this.#outline.hidden = !shown;
    if (!shown) return;
    const part = isMirrored ? mirrored(crop) : crop;
    this.#outline.style.inset = [part.top, 1 - part.right, 1 - part.bottom, part.left]
      .map((share) => `${(100 * share).toFixed(3)}%`)
      .join(" ");
  }

  /**
   * Places it on the stage.
   *
   * @param {Size} stage
   * @param {string} rule by which the model takes its part
   * @param {boolean} fill Whether the stage is to be covered.
   */
  lay(stage, rule, fill) {
    const at = placed(stage, this.size, cropOf(rule, this.size), fill);
    const sides = /** @type {const} */ (["left", "top", "width", "height"]);
    for (const side of sides) this.element.style[side] = `${at[side]}px`;
  }
}
