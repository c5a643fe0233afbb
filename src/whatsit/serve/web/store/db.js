/**
 * What the app keeps in this browser: the person's own models, and the pictures collected to
 * teach. Nothing of it leaves the device. Without storage the app works on: reading gives nothing,
 * writing throws the WhatsitError of `problem`.
 */

import { Database, result } from "./idb.js";
import { KeptModels } from "./kept_models.js";
import { KeptTeaching } from "./kept_teaching.js";

const VERSION = 1;

/** @typedef {import("../core/errors.js").WhatsitError} WhatsitError */
/** @typedef {import("./kept_models.js").KeptModel} KeptModel */
/** @typedef {import("./kept_models.js").ModelFacts} ModelFacts */
/** @typedef {import("./kept_teaching.js").Project} Project */

/** The models and the pictures, and whether the browser promised to keep them. */
export class Store {
  #database;

  /** @param {Database} database */
  constructor(database) {
    this.#database = database;
    const kept = () => this.#askToPersist();
    this.models = new KeptModels(database, kept);
    this.teaching = new KeptTeaching(database, kept);
  }

  /** Why nothing can be kept; null where it can. @returns {WhatsitError | null} */
  get problem() {
    return this.#database.problem;
  }

  /**
   * Whether the browser promised not to throw it away by itself, and the room there is.
   * @returns {Promise<{persisted: boolean, usedBytes: number, roomBytes: number}>}
   */
  async facts() {
    const storage = navigator.storage;
    const { usage = 0, quota = 0 } = (await storage?.estimate?.().catch(() => null)) ?? {};
    const persisted = (await storage?.persisted?.().catch(() => false)) ?? false;
    return { persisted, usedBytes: usage, roomBytes: Math.max(0, quota - usage) };
  }

  close() {
    this.#database.close();
  }

  /** Asks once and for all, after the first thing that a person would miss. */
  async #askToPersist() {
    try {
      const asked = await this.#database.read(["facts"], true, (transaction) =>
        result(transaction.objectStore("facts").get("asked-to-persist")),
      );
      if (asked) return;
      await this.#database.write(["facts"], "that it was asked", (transaction) => {
        transaction.objectStore("facts").put(true, "asked-to-persist");
      });
      await navigator.storage?.persist?.();
    } catch {
      // what was kept is kept all the same
    }
  }
}

/**
 * The store of this site. Never fails: see `problem`.
 * @param {string} [name] of the database; another one for tests
 * @returns {Promise<Store>}
 */
export async function openStore(name = "whatsit") {
  return new Store(await Database.open(name, VERSION, upgrade));
}

/**
 * Files stand apart from what is known of them: a list must not read them.
 * @param {IDBDatabase} database
 */
function upgrade(database) {
  database.createObjectStore("facts");
  database.createObjectStore("models", { keyPath: "name" });
  database.createObjectStore("files");
  database.createObjectStore("projects");
  database.createObjectStore("pictures", { autoIncrement: true });
}
