/**
 * The pictures collected to teach. They are kept one by one, so that saving after every picture
 * writes that picture alone.
 */

import { result } from "./idb.js";

/**
 * @typedef {{blob: Blob, embedding?: Float32Array}} Picture
 * @typedef {{classes: {name: string, pictures: Picture[]}[]}} Project
 * @typedef {{type: string, bytes: ArrayBuffer, embedding?: Float32Array}} KeptPicture
 * @typedef {{key: number, embedding?: Float32Array}} Place where a picture is kept already
 */

const STORES = ["projects", "pictures"];
const PROJECT = "current";

export class KeptTeaching {
  #database;
  #kept;
  /** @type {WeakMap<Blob, Place>} */
  #places = new WeakMap();
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @param {import("./idb.js").Database} database
   * @param {() => void} kept called after something was kept
   */
  constructor(database, kept) {
    this.#database = database;
    this.#kept = kept;
  }

  /** The project as it was saved last; null if there is none. @returns {Promise<Project | null>} */
  async load() {
    return this.#database.read(STORES, null, async (transaction) => {
      const project = await result(transaction.objectStore("projects").get(PROJECT));
      if (project === undefined) return null;
      const store = transaction.objectStore("pictures");
      const [keys, values] = await Promise.all([
        result(store.getAllKeys()),
        result(store.getAll()),
      ]);
      const found = new Map(keys.map((key, i) => [Number(key), values[i]]));
      return { ...project, classes: project.classes.map(this.#read(found)) };
    });
  }

  /**
   * Keeps the project in place of the one before. Saves one after the other, in the order asked.
   * @param {Project} project
   */
  save(project) {
    const saved = this.#last.catch(() => {}).then(() => this.#save(project));
    this.#last = saved;
    return saved;
  }

  /** Forgets the project and its pictures. */
  async clear() {
    await this.#last.catch(() => {});
    this.#places = new WeakMap();
    await this.#database.write(STORES, "that the pictures are gone", (transaction) => {
      for (const store of STORES) transaction.objectStore(store).clear();
    });
  }

  /** @param {Map<number, KeptPicture>} found */
  #read(found) {
    return (/** @type {{name: string, pictures: number[]}} */ { pictures, ...rest }) => ({
      ...rest,
      pictures: pictures.filter((key) => found.has(key)).map((key) => {
        const { type, bytes, embedding } = /** @type {KeptPicture} */ (found.get(key));
        const blob = new Blob([bytes], { type });
        this.#places.set(blob, { key, embedding });
        return embedding === undefined ? { blob } : { blob, embedding };
      }),
    });
  }

  /** @param {Project} project */
  async #save(project) {
    const there = new Set(
      await this.#database.read(STORES, /** @type {IDBValidKey[]} */ ([]), (transaction) =>
        result(transaction.objectStore("pictures").getAllKeys()),
      ),
    );
    const pictures = project.classes.flatMap((one) => one.pictures);
    const changed = new Map();
    // A transaction ends while anything else is awaited, so the bytes are read before it begins.
    for (const picture of pictures.filter((one) => !this.#isKept(one, there))) {
      changed.set(picture, await kept(picture));
    }
    const places = await this.#database.write(STORES, "the pictures", (transaction) =>
      this.#write(transaction, project, changed, there),
    );
    for (const [blob, place] of places) this.#places.set(blob, place);
    if (changed.size) this.#kept();
  }

  /**
   * @param {Picture} picture
   * @param {Set<IDBValidKey>} there
   */
  #isKept({ blob, embedding }, there) {
    const place = this.#places.get(blob);
    return place !== undefined && place.embedding === embedding && there.has(place.key);
  }

  /**
   * @param {IDBTransaction} transaction
   * @param {Project} project
   * @param {Map<Picture, KeptPicture>} changed
   * @param {Set<IDBValidKey>} there
   * @returns {Promise<Map<Blob, Place>>}
   */
  async #write(transaction, project, changed, there) {
    const store = transaction.objectStore("pictures");
    /** @type {Map<Blob, Place>} */
    const places = new Map();
    for (const [picture, value] of changed) {
      const before = this.#places.get(picture.blob)?.key;
      const key = Number(await result(store.put(value, before)));
      places.set(picture.blob, { key, embedding: picture.embedding });
    }
    const keyOf = (/** @type {Picture} */ { blob }) =>
      /** @type {Place} */ (places.get(blob) ?? this.#places.get(blob)).key;
    const classes = project.classes.map((one) => ({ ...one, pictures: one.pictures.map(keyOf) }));
    const used = new Set(classes.flatMap((one) => one.pictures));
    for (const key of there) if (!used.has(Number(key))) store.delete(key);
    transaction.objectStore("projects").put({ ...project, classes }, PROJECT);
    return places;
  }
}

/**
 * @param {Picture} picture
 * @returns {Promise<KeptPicture>}
 */
async function kept({ blob, embedding }) {
  const value = { type: blob.type, bytes: await blob.arrayBuffer() };
  return embedding === undefined ? value : { ...value, embedding };
}
