/** The models that can be chosen: those of the site, and the person's own in this browser. */

import { WhatsitError } from "../core/errors.js";
import { siteFile } from "./site.js";
import { Times } from "./times.js";

const SITE = "models/index.json";

/** @typedef {import("../engine/client.js").Engine} Engine */
/** @typedef {import("../engine/messages.js").ModelSource} ModelSource */
/** @typedef {import("../store/db.js").Store} Store */
/** @typedef {import("./types.js").Listed} Listed */
/** @typedef {import("./types.js").ModelFacts} ModelFacts */
/** @typedef {(progress: {loaded: number}) => void} Progress */

/**
 * Events: `change` (the list, or a number in it), `use` (detail: ModelFacts, whenever another one is
 * in use) and `choose` (detail: a name, when the person decided so).
 */
export class Models extends EventTarget {
  /** @type {any[]} */
  #site = [];
  /** @type {Listed[]} */
  #own = [];
  #times = new Times();
  /** @type {{engine: Engine, store: Store}|null} */
  #parts = null;
  standard = "";
  /** Another one where the files of the engine are others. */
  runtime = "";
  /** What the person chose: another one may be in use for a while. */
  chosen = "";

  /**
   * Until then nothing but the empty list can be asked for.
   *
   * @param {Engine} engine
   * @param {Store} store Where the person's own are.
   */
  attach(engine, store) {
    this.#parts = { engine, store };
  }

  /** Reads both lists. */
  async load() {
    const index = await (await siteFile(SITE)).json();
    this.#site = index.models;
    this.standard = index.default;
    this.runtime = index.runtime;
    await this.#readOwn();
  }

  /** @returns {Listed[]} */
  list() {
    const site = this.#site.map((model) => listed(model, model.builtin, false));
    return [...site, ...this.#own].map((model) => ({ ...model, ms: this.#times.of(model.name) }));
  }

  /** @param {string} name */
  has(name) {
    return this.list().some((model) => model.name === name);
  }

  /**
   * Puts a model into use. One that fails leaves the one before in use.
   *
   * @param {string} name
   * @param {Progress} [onProgress]
   */
  async use(name, onProgress) {
    const facts = await this.#open(await this.#source(name), onProgress);
    this.#choose(name);
    this.#used(facts);
    return facts;
  }

  /**
   * The same for a while, until `giveBack`.
   *
   * @param {string} name
   */
  async borrow(name) {
    const facts = await this.#open(await this.#source(name));
    this.#used(facts);
    return facts;
  }

  /** Puts what the person chose into use again. */
  async giveBack() {
    if (this.#engine.model?.name !== this.chosen) await this.borrow(this.chosen);
  }

  /**
   * Opens a model from a file, keeps it in this browser, and puts it into use.
   *
   * @param {File} file
   */
  async addOwn(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    return this.addBytes(this.free(file.name.replace(/\.tflite$/i, "")), bytes, "file");
  }

  /**
   * The same of bytes that were made here.
   *
   * @param {string} name
   * @param {Uint8Array} bytes
   * @param {string} origin Such as "file" or "taught".
   */
  async addBytes(name, bytes, origin) {
    const facts = await this.#open({ name, bytes: bytes.slice() });
    try {
      await this.#store.models.put({ name, bytes, origin });
      this.#times.forget(name);
      await this.#readOwn();
      this.#choose(name);
    } finally {
      this.#used(facts); // in use it is by now, kept or not
    }
    return facts;
  }

  /**
   * Gives one of the person's own another name, or one like it where a model of the site has that.
   *
   * @param {string} name
   * @param {string} newName
   */
  async rename(name, newName) {
    if (newName === name) return;
    const free = this.free(newName);
    await this.#store.models.rename(name, free);
    this.#times.rename(name, free);
    await this.#readOwn();
    if (this.chosen === name) this.#choose(free);
    if (this.#engine.model?.name === name) await this.borrow(free);
  }

  /**
   * Takes one of the person's own away; the standard one is used instead if it was in use.
   *
   * @param {string} name
   */
  async remove(name) {
    if (this.chosen === name) await this.use(this.standard);
    else if (this.#engine.model?.name === name) await this.borrow(this.standard);
    await this.#store.models.remove(name);
    this.#times.forget(name);
    await this.#readOwn();
  }

  /**
   * A name that no model of the site has; the person's own of that name is replaced.
   *
   * @param {string} name
   */
  free(name) {
    const taken = (/** @type {string} */ other) => this.#site.some((model) => model.name === other);
    let free = name;
    for (let number = 2; taken(free); number++) free = `${name}-${number}`;
    return free;
  }

  /**
   * One of the person's own with its file, or null.
   *
   * @param {string} name
   */
  own(name) {
    return this.#store.models.get(name);
  }

  /**
   * The file of a model.
   *
   * @param {string} name
   * @returns {Promise<Uint8Array>}
   */
  async bytes(name) {
    const { bytes, url } = await this.#source(name);
    if (url === undefined) return new Uint8Array(bytes ?? []);
    return new Uint8Array(await (await siteFile(url)).arrayBuffer());
  }

  /**
   * How long one picture took here, in the median.
   *
   * @param {string} name
   * @param {number} ms
   */
  noteMs(name, ms) {
    this.#times.note(name, ms);
    this.dispatchEvent(new Event("change"));
  }

  /**
   * @param {ModelSource} source
   * @param {Progress} [onProgress]
   * @returns {Promise<ModelFacts>}
   */
  #open(source, onProgress) {
    return this.#engine.open(source, onProgress);
  }

  /** @param {string} name */
  #choose(name) {
    this.chosen = name;
    this.dispatchEvent(new CustomEvent("choose", { detail: name }));
  }

  /** @param {ModelFacts} facts */
  #used(facts) {
    this.dispatchEvent(new CustomEvent("use", { detail: facts }));
  }

  /**
   * @param {string} name
   * @returns {Promise<ModelSource>}
   */
  async #source(name) {
    const site = this.#site.find((model) => model.name === name);
    if (site) return { name, url: site.file, sha256: site.sha256 };
    const own = await this.own(name);
    if (own) return { name, bytes: own.bytes };
    throw new WhatsitError("model-not-found", `no model is called ${name}`, {
      hint: "Choose one in the settings",
    });
  }

  async #readOwn() {
    const found = await this.#store.models.list();
    this.#own = found.map((model) => listed({ ...model, bytes: model.size }, false, true));
    this.dispatchEvent(new Event("change"));
  }

  get #engine() {
    return this.#attached.engine;
  }

  get #store() {
    return this.#attached.store;
  }

  get #attached() {
    if (this.#parts === null) throw new Error("the engine has not been started");
    return this.#parts;
  }
}

/**
 * @param {any} model
 * @param {boolean} builtin
 * @param {boolean} own
 * @returns {Listed}
 */
function listed(model, builtin, own) {
  const { name, bytes, classes = 0, accuracy = [], licence = null } = model;
  return { name, bytes, classes, accuracy, licence, builtin, own, ms: null };
}
