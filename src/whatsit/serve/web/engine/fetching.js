/** A model from the site. The page fetches it, while its worker gets the wasm ready. */

import { WhatsitError } from "../core/errors.js";
import { repr } from "../core/repr.js";

/** @typedef {import("./messages.js").ModelSource} ModelSource */
/** @typedef {(step: {loaded: number}) => void} OnStep */

/**
 * The bytes of a model that has an address. Throws download-failed.
 * @param {ModelSource} source
 * @param {OnStep} onStep hears how many of them are there
 * @returns {Promise<Uint8Array>}
 */
export async function fetched({ name, url }, onStep) {
  /** @param {string} reason */
  const failed = (reason) =>
    new WhatsitError("download-failed", `model ${repr(name)} cannot be fetched: ${reason}`, {
      hint: "is the network there? A model that was used before works without one",
    });
  try {
    const response = await fetch(/** @type {string} */ (url));
    if (!response.ok) throw failed(`the server answers ${response.status}`);
    return await collected(response, onStep);
  } catch (error) {
    if (error instanceof WhatsitError) throw error;
    throw failed(error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param {Response} response
 * @param {OnStep} onStep
 * @returns {Promise<Uint8Array>}
 */
async function collected(response, onStep) {
  if (response.body === null) return new Uint8Array(await response.arrayBuffer());
  const parts = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    loaded += part.value.length;
    onStep({ loaded });
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
