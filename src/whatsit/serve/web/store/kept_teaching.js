/**
 * The pictures collected to teach. They are kept one by one, so that saving after every picture
 * writes that picture alone.
 */

import { WhatsitError } from "../core/errors.js";
import { result } from "./idb.js";

/**
 * @typedef {{blob: Blob, embedding?: Float32Array}} Picture
 * @typedef {{classes: {name: string, pictures: Picture[]}[]}} Project
 * @typedef {{type: string, bytes: ArrayBuffer, embedding?: Float32Array}} KeptPicture
 * @typedef {{key: number, embedding?: Float32Array}} Place where a picture is kept already
 */

const STORES = ["projects", "pictures"];
const PROJECT = "current";
const REVISION = "revision"; // counts what any window has written

export class KeptTeaching {
  #database;
  #kept;
  /** @type {WeakMap<Blob, Place>} */
  #places = new WeakMap();
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();
  #seen = 0; // the revision that this window goes on from

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
      const projects = transaction.objectStore("projects");
      const [project, seen] = await Promise.all([
        result(projects.get(PROJECT)),
        revisionIn(projects),
      ]);
      this.#seen = seen;
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
   * Keeps the project in place of the one before. Throws storage-changed if another window has
   * written one meanwhile: that one stays.
   * @param {Project} project
   * @returns {Promise<void>}
   */
  save(project) {
    return this.#inTurn(() => this.#save(project));
  }

  /** Forgets the project and its pictures. @returns {Promise<void>} */
  clear() {
    return this.#inTurn(async () => {
      this.#places = new WeakMap();
      const what = "that the pictures are gone";
      this.#seen = await this.#database.write(STORES, what, async (transaction) => {
        const [projects, pictures] = STORES.map((store) => transaction.objectStore(store));
        const next = (await revisionIn(projects)) + 1;
        pictures.clear();
        projects.clear();
        projects.put(next, REVISION);
        return next;
      });
    });
  }

  /**
   * Whatever is written, one after the other, in the order asked.
   * @param {() => Promise<void>} work
   */
  #inTurn(work) {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {}); // told to whoever asked
    return done;
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
    this.#seen += 1;
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
    const [projects, store] = STORES.map((name) => transaction.objectStore(name));
    if ((await revisionIn(projects)) !== this.#seen) throw changedElsewhere();
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
    projects.put({ ...project, classes }, PROJECT);
    projects.put(this.#seen + 1, REVISION);
    return places;
  }
}

/**
 * @param {IDBObjectStore} projects
 * @returns {Promise<number>}
 */
async function revisionIn(projects) {
  return Number((await result(projects.get(REVISION))) ?? 0);
}

/** @returns {WhatsitError} */
function changedElsewhere() {
  return new WhatsitError("storage-changed", "another window has changed the pictures to teach", {
    expected: "one window at a time in which pictures are collected",
    hint: "download the pictures of this one if you need them, then reload it",
  });
}

/**
 * @param {Picture} picture
 * @returns {Promise<KeptPicture>}
 */
async function kept({ blob, embedding }) {
  const value = { type: blob.type, bytes: await blob.arrayBuffer() };
  return embedding === undefined ? value : { ...value, embedding };
}
