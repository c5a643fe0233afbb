/** A file that was made here, handed to the browser to be saved. */

import { h } from "./dom.js";

const KEPT_MS = 60_000; // some browsers begin to read it long after the click

/**
 * @param {Uint8Array | string} content
 * @param {string} type
 * @param {string} name
 */
export function saveFile(content, type, name) {
  const part = typeof content === "string" ? content : new Uint8Array(content);
  const url = URL.createObjectURL(new Blob([part], { type }));
  const link = h("a", { href: url, download: name, hidden: true });
  document.body.append(link); // some browsers take no click on what is not in the page
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name Of the model; the ending is added.
 */
export function saveModel(bytes, name) {
  saveFile(bytes, "application/octet-stream", `${name}.tflite`);
}
