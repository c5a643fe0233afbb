/** The person's own models: opened from a file or taught here. */

import { WhatsitError } from "../core/errors.js";
import { result } from "./idb.js";

/**
 * @typedef {{name: string, size: number, origin: string, added: number}} ModelFacts
 *   `size` in bytes, `added` in ms since 1970, `origin` such as "file" or "taught"
 * @typedef {{name: string, bytes: Uint8Array, origin: string, added: number}} KeptModel
 */

const STORES = ["models", "files"];

export class KeptModels {
  #database;
  #kept;

  /**
   * @param {import("./idb.js").Database} database
   * @param {() => void} kept called after something was kept
   */
  constructor(database, kept) {
    this.#database = database;
    this.#kept = kept;
  }

  /** What there is, the oldest first, without the files. @returns {Promise<ModelFacts[]>} */
  async list() {
    const all = await this.#database.read(STORES, /** @type {ModelFacts[]} */ ([]), (transaction) =>
      result(transaction.objectStore("models").getAll()),
    );
    return all.sort((a, b) => a.added - b.added);
  }

  /**
   * The model with its bytes; null if there is none of this name.
   * @param {string} name
   * @returns {Promise<KeptModel | null>}
   */
  async get(name) {
    return this.#database.read(STORES, null, async (transaction) => {
      const [facts, buffer] = await Promise.all([
        result(transaction.objectStore("models").get(name)),
        result(transaction.objectStore("files").get(name)),
      ]);
      if (facts === undefined || buffer === undefined) return null;
      const { origin, added } = /** @type {ModelFacts} */ (facts);
      return { name, bytes: new Uint8Array(buffer), origin, added };
    });
  }

  /**
   * Keeps a model, in place of the one of this name if there is one.
   * @param {{name: string, bytes: Uint8Array, origin: string}} model
   */
  async put({ name, bytes, origin }) {
    const buffer = bytes.slice().buffer; // of its own: a view would keep what it looks into
    const facts = { name, size: bytes.length, origin, added: Date.now() };
    await this.#database.write(STORES, `the model ${name}`, (transaction) => {
      transaction.objectStore("models").put(facts);
      transaction.objectStore("files").put(buffer, name);
    });
    this.#kept();
  }

  /**
   * Gives a model another name. Throws WhatsitError if it is taken, or if there is no such model.
   * @param {string} name
   * @param {string} newName
   */
  async rename(name, newName) {
    if (name === newName) return;
    await this.#database.write(STORES, `the name ${newName}`, async (transaction) => {
      const [models, files] = STORES.map((store) => transaction.objectStore(store));
      const [facts, buffer, taken] = await Promise.all([
        result(models.get(name)),
        result(files.get(name)),
        result(models.getKey(newName)),
      ]);
      if (facts === undefined) throw missing(name);
      if (taken !== undefined) throw takenName(newName);
      models.put({ ...facts, name: newName });
      files.put(buffer, newName);
      models.delete(name);
      files.delete(name);
    });
  }

  /**
   * Forgets a model; nothing happens if there is none of this name.
   * @param {string} name
   */
  async remove(name) {
    await this.#database.write(STORES, `that ${name} is gone`, (transaction) => {
      transaction.objectStore("models").delete(name);
      transaction.objectStore("files").delete(name);
    });
  }
}

/** @param {string} name */
function missing(name) {
  return new WhatsitError("model-not-found", `there is no model ${name} of your own`, {
    hint: "another window may have removed it: reload the page",
  });
}

/** @param {string} name */
function takenName(name) {
  return new WhatsitError("wrong-usage", `there is a model ${name} already`, {
    expected: "a name that none of your models has",
  });
}
