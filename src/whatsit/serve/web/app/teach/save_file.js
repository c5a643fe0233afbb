/** A file that was made here, handed to the browser to be saved. */

import { h } from "../dom.js";

const KEPT_MS = 60_000; // some browsers begin to read it long after the click

/**
 * @param {Uint8Array} bytes
 * @param {string} type
 * @param {string} name
 */
export function saveFile(bytes, type, name) {
  const url = URL.createObjectURL(new Blob([new Uint8Array(bytes)], { type }));
  const link = h("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}
