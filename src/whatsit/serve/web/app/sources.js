/** Where pictures come from but the camera: a file, several, a drop, the clipboard, samples. */

import { h } from "./dom.js";

/** @typedef {{file: string, name: string, by: string}} Sample */

/** The golden pictures, made smaller, with who made them (CREDITS.md). @type {Sample[]} */
export const SAMPLES = [
  { file: "cat.jpg", name: "cat", by: "Stefan van der Walt, CC0 1.0" },
  { file: "coffee.jpg", name: "coffee", by: "Rachel Michetti, CC0 1.0" },
  { file: "flower.jpg", name: "flower", by: "flickr.com/photos/vultilion, CC BY 2.0" },
  { file: "temple.jpg", name: "temple", by: "danielbuechele (Flickr), CC BY 2.0" },
  { file: "rocket.jpg", name: "rocket", by: "SpaceX, public domain" },
  { file: "camera.jpg", name: "photographer", by: "Lav Varshney, CC0 1.0" },
];

/** @param {Blob} file */
export function isVideo(file) {
  return file.type.startsWith("video/") || /\.(mp4|m4v|mov|webm|mkv|avi)$/i.test(nameOf(file));
}

/** @param {Blob} file */
export function isModel(file) {
  return /\.tflite$/i.test(nameOf(file));
}

/** @param {Blob} file */
export function nameOf(file) {
  return file instanceof File ? file.name : "";
}

/**
 * A hidden chooser of files; call what comes back within a tap.
 *
 * @param {Element} into
 * @param {(files: File[]) => void} take
 * @returns {() => void}
 */
export function chooser(into, take) {
  const input = h("input", {
    type: "file",
    accept: "image/*,video/*",
    multiple: true,
    hidden: true,
    onchange: () => {
      take([...(input.files ?? [])]);
      input.value = ""; // the same file again is a change, too
    },
  });
  into.append(input);
  return () => input.click();
}

/**
 * Takes what is dropped onto the page or pasted into it, while `active()`.
 *
 * @param {{active: () => boolean, take: (files: File[]) => void,
 *   hover: (over: boolean) => void}} ways
 */
export function dropAndPaste({ active, take, hover }) {
  let depth = 0;
  const over = (/** @type {number} */ by) => {
    depth = Math.max(0, depth + by);
    hover(depth > 0);
  };
  const holds = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => active() && holds(event) && over(1));
  document.addEventListener("dragleave", (event) => active() && holds(event) && over(-1));
  document.addEventListener("dragover", (event) => holds(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!holds(event)) return;
    event.preventDefault(); // else the browser leaves the app and shows the file
    over(-depth);
    if (active()) take([...(event.dataTransfer?.files ?? [])]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!active() || files.length === 0) return;
    event.preventDefault();
    take(files);
  });
}
