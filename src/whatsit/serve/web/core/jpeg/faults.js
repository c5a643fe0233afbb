/** Why a JPEG has no pixels here: it is damaged, or of a rare kind that browsers decode. */

import { WhatsitError } from "../errors.js";

/** A valid JPEG that is left to the browser's own decoder. */
export class LeftToBrowser extends Error {}

/**
 * A file that Python's decoder gives up on as well.
 * @param {string} reason
 * @returns {WhatsitError}
 */
export function broken(reason) {
  return new WhatsitError("image-unreadable", `cannot be decoded: ${reason}`, {
    hint: "the file is damaged or cut short",
  });
}

/** @returns {WhatsitError} */
export function cutShort() {
  return broken("it ends before its last row");
}
