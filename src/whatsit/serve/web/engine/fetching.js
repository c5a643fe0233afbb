/** Files of the site that the engine needs: models, sample pictures, recorded answers. */

import { WhatsitError } from "../core/errors.js";
import { repr } from "../core/repr.js";

/** @typedef {import("./messages.js").ModelSource} ModelSource */
/** @typedef {import("./selftest.js").Best} Best */
/** @typedef {{loaded: number}} Progress in bytes */
/** @typedef {(progress: Progress) => void} OnProgress */

/** Addresses are below this one, wherever the page is. */
export const SITE = new URL("../", import.meta.url);

/**
 * The bytes of a model, fetched by the page while its worker gets the wasm ready. Throws
 * download-failed.
 * @param {ModelSource} source
 * @param {OnProgress} [onProgress]
 * @returns {Promise<Uint8Array>}
 */
export async function bytesOf({ name, bytes, url = "" }, onProgress) {
  if (bytes !== undefined) return bytes;
  const file = await fetched(url, `model ${repr(name)}`, onProgress);
  return new Uint8Array(await file.arrayBuffer());
}

/**
 * A file that the self-test or the measuring needs. Throws download-failed.
 * @param {string} name
 * @returns {Promise<Blob>}
 */
export function sample(name) {
  return fetched(`samples/${name}`, repr(name));
}

/** The recorded answers: sha256 of a model → picture → its best classes. */
export class Recorded {
  /** @type {Promise<Record<string, Record<string, Best>>> | null} */
  #file = null;

  /**
   * All of them. Throws download-failed.
   * @returns {Promise<Record<string, Record<string, Best>>>}
   */
  all() {
    this.#file ??= sample("expected.json").then(async (file) => JSON.parse(await file.text()));
    this.#file.catch(() => (this.#file = null)); // it is fetched again next time
    return this.#file;
  }
}

/**
 * @param {string} path
 * @param {string} what
 * @param {OnProgress} [onProgress]
 * @returns {Promise<Blob>}
 */
async function fetched(path, what, onProgress = () => {}) {
  try {
    const response = await fetch(new URL(path, SITE));
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return await collected(response, onProgress);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new WhatsitError("download-failed", `${what} cannot be fetched: ${reason}`, {
      hint: "is the network there? What was used before works without one",
    });
  }
}

/**
 * @param {Response} response
 * @param {OnProgress} onProgress
 * @returns {Promise<Blob>}
 */
async function collected(response, onProgress) {
  if (response.body === null) return response.blob();
  const parts = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    loaded += part.value.length;
    onProgress({ loaded });
  }
  return new Blob(parts);
}
