/**
 * What is being taught: classes and their pictures, kept in the browser after each change. Events:
 * `change` (anything), `classes` (a class came, went or was renamed).
 */

import { TEACH } from "./words.js";

const SAVE_MS = 600; // after the last change
export const MOST_PICTURES = 500; // of a class: what a phone keeps without complaint
export const LEAST_PICTURES = 2;
const FEW = 10;
const UNBALANCED = 4;

/**
 * `moment` is when the camera took it, in ms; null for a file.
 * @typedef {{blob: Blob, moment: number|null, embedding?: Float32Array}} Picture
 * @typedef {{name: string, pictures: Picture[]}} Class
 */

export class Project extends EventTarget {
  name = TEACH.defaultName;
  /** The model it is built on; empty until there are pictures. */
  backbone = "";
  /** By which model's file the embeddings were made, as sha256. */
  embeddedBy = "";
  /** @type {Class[]} */
  classes = [];
  /** Counts the changes, to tell what was taught before them. */
  version = 0;
  #timer = 0;

  /**
   * @param {() => any} store
   * @param {(error: unknown) => void} fail
   */
  constructor(store, fail) {
    super();
    this.store = store;
    this.fail = fail;
    this.#empty();
  }

  /** What was collected before, if anything. */
  async load() {
    const kept = await this.store()?.teaching.load();
    if (!kept?.classes?.length) return;
    this.name = kept.name || TEACH.defaultName;
    this.backbone = kept.backbone || "";
    this.embeddedBy = kept.embeddedBy || "";
    this.classes = kept.classes.map((/** @type {any} */ one) => ({
      name: one.name,
      pictures: one.pictures.map((/** @type {any} */ picture, /** @type {number} */ i) => ({
        ...picture,
        moment: one.moments?.length === one.pictures.length ? one.moments[i] : null,
      })),
    }));
    this.dispatchEvent(new Event("classes"));
    this.dispatchEvent(new Event("change"));
  }

  get count() {
    return this.classes.reduce((sum, { pictures }) => sum + pictures.length, 0);
  }

  /** @returns {Picture[]} */
  get pictures() {
    return this.classes.flatMap((one) => one.pictures);
  }

  /** Adds a class with a name that is free. */
  addClass() {
    let number = this.classes.length + 1;
    while (this.classes.some(({ name }) => name === TEACH.newClass(number))) number++;
    const added = { name: TEACH.newClass(number), pictures: [] };
    this.classes.push(added);
    this.#changed(true);
    return added;
  }

  /**
   * @param {Class} one
   * @returns {() => void} which brings it back
   */
  removeClass(one) {
    const place = this.classes.indexOf(one);
    this.classes.splice(place, 1);
    this.#changed(true);
    return () => {
      this.classes.splice(Math.min(place, this.classes.length), 0, one);
      this.#changed(true);
    };
  }

  /**
   * @param {Class} one
   * @param {string} name
   */
  renameClass(one, name) {
    if (one.name === name) return;
    one.name = name;
    this.#changed();
  }

  /** @param {string} name */
  rename(name) {
    this.name = name;
    this.#changed();
  }

  /**
   * @param {Class} one
   * @param {Picture} picture
   * @returns {boolean} false where the class is full
   */
  add(one, picture) {
    if (one.pictures.length >= MOST_PICTURES) return false;
    one.pictures.push(picture);
    this.#changed();
    return true;
  }

  /**
   * @param {Class} one
   * @param {Picture} picture
   * @returns {() => void} which brings it back
   */
  remove(one, picture) {
    const place = one.pictures.indexOf(picture);
    if (place < 0) return () => {};
    one.pictures.splice(place, 1);
    this.#changed();
    return () => {
      one.pictures.splice(Math.min(place, one.pictures.length), 0, picture);
      this.#changed();
    };
  }

  /**
   * The embeddings are of this model from now on.
   * @param {string} name
   * @param {string} sha256
   */
  buildOn(name, sha256) {
    if (this.backbone === name && this.embeddedBy === sha256) return;
    if (this.embeddedBy !== sha256) for (const one of this.pictures) delete one.embedding;
    this.backbone = name;
    this.embeddedBy = sha256;
    this.#changed();
  }

  /** @param {Picture} picture @param {Float32Array} embedding */
  embedded(picture, embedding) {
    picture.embedding = embedding;
    this.#later();
  }

  /** Forgets everything. */
  async clear() {
    clearTimeout(this.#timer);
    this.#empty();
    this.name = TEACH.defaultName;
    this.backbone = this.embeddedBy = "";
    this.#changed(true);
    clearTimeout(this.#timer);
    await this.store()?.teaching.clear();
  }

  /** What is missing before anything can be taught; empty if nothing is. */
  missing() {
    const names = this.classes.map(({ name }) => name.trim());
    if (this.classes.length < 2) return TEACH.missing.classes;
    if (names.includes("")) return TEACH.missing.nameless;
    const twice = names.find((name, place) => names.indexOf(name) !== place);
    if (twice !== undefined) return TEACH.missing.twice(twice);
    const poor = this.classes.filter(({ pictures }) => pictures.length < LEAST_PICTURES);
    return poor.length ? TEACH.missing.pictures(poor.map(({ name }) => name)) : "";
  }

  /** What would make it better. */
  warnings() {
    const found = [];
    const few = this.classes.filter(({ pictures }) => pictures.length < FEW);
    if (few.length) found.push(TEACH.warn.few(few.map(({ name }) => name)));
    const ordered = [...this.classes].sort((a, b) => a.pictures.length - b.pictures.length);
    const [least, most] = [ordered[0], ordered[ordered.length - 1]];
    if (most && most.pictures.length > UNBALANCED * least.pictures.length) {
      found.push(TEACH.warn.unbalanced(most.name, least.name));
    }
    return found;
  }

  /** Keeps it now, should anything be waiting to be kept. */
  async flush() {
    if (this.#timer === 0) return;
    clearTimeout(this.#timer);
    this.#timer = 0;
    const { name, backbone, embeddedBy } = this;
    const classes = this.classes.map((one) => ({
      name: one.name,
      moments: one.pictures.map(({ moment }) => moment),
      pictures: one.pictures.map(({ blob, embedding }) =>
        embedding === undefined ? { blob } : { blob, embedding },
      ),
    }));
    try {
      await this.store()?.teaching.save({ name, backbone, embeddedBy, classes });
    } catch (error) {
      this.fail(error);
    }
  }

  #empty() {
    this.classes = [1, 2].map((number) => ({ name: TEACH.newClass(number), pictures: [] }));
  }

  #changed(classes = false) {
    this.version++;
    this.#later();
    if (classes) this.dispatchEvent(new Event("classes"));
    this.dispatchEvent(new Event("change"));
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.flush(), SAVE_MS);
  }
}
