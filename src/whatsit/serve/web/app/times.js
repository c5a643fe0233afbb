/** How long one picture took each model here, in the median: kept in this browser. */

import { storage } from "./state.js";

const KEY = "whatsit.ms";

export class Times {
  /** @type {Map<string, number>} */
  #ms = kept();

  /**
   * @param {string} name
   * @returns {number|null}
   */
  of(name) {
    return this.#ms.get(name) ?? null;
  }

  /**
   * @param {string} name
   * @param {number} ms
   */
  note(name, ms) {
    this.#ms.set(name, ms);
    this.#keep();
  }

  /** @param {string} name */
  forget(name) {
    if (this.#ms.delete(name)) this.#keep();
  }

  /**
   * @param {string} name
   * @param {string} newName
   */
  rename(name, newName) {
    const ms = this.#ms.get(name);
    this.#ms.delete(name);
    if (ms !== undefined) this.note(newName, ms);
  }

  #keep() {
    try {
      storage()?.setItem(KEY, JSON.stringify(Object.fromEntries(this.#ms)));
    } catch {
      // nothing is kept here: it is measured again
    }
  }
}

/** @returns {Map<string, number>} */
function kept() {
  try {
    const all = Object.entries(JSON.parse(storage()?.getItem(KEY) ?? "{}"));
    return new Map(all.filter(([, ms]) => typeof ms === "number" && Number.isFinite(ms)));
  } catch {
    return new Map(); // not ours
  }
}
