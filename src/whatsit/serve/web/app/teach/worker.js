/** Teaches in a worker, so that the screen stays alive meanwhile. A module. */

import { readBundle } from "../../core/bundle.js";
import { WhatsitError } from "../../core/errors.js";
import { teach } from "../../core/teach/lesson.js";

/** @typedef {import("../../core/teach/lesson.js").Material} Material */
/**
 * @typedef {{parent: {name: string, bytes: Uint8Array}, classes: Material[], name: string}} Order
 */

self.onmessage = async (/** @type {MessageEvent<Order>} */ { data }) => {
  try {
    const parent = readBundle(data.parent.bytes, data.parent.name);
    const progress = (/** @type {number} */ done, /** @type {number} */ total) =>
      self.postMessage({ kind: "progress", done, total });
    const lesson = await teach(parent, data.classes, { name: data.name, progress });
    self.postMessage({ kind: "lesson", lesson });
  } catch (error) {
    const told =
      error instanceof WhatsitError
        ? error
        : new WhatsitError("internal", "the model could not be taught", { hint: String(error) });
    self.postMessage({ kind: "error", error: told.toJSON() });
  }
};
self.postMessage({ kind: "ready" });
