/** The models that can be chosen: those of the site, and the person's own in this browser. */

import { WhatsitError } from "../core/errors.js";
import { storage } from "./state.js";

const MS_KEY = "whatsit.ms";
const SITE = "models/index.json";

/** @typedef {import("./types.js").Listed} Listed */
/** @typedef {import("./types.js").ModelFacts} ModelFacts */

/** Events: `change` (the list, or a number in it) and `use` (detail: ModelFacts). */
export class Models extends EventTarget {
  /** @type {any[]} */
  #site = [];
  /** @type {Listed[]} */
  #own = [];
  /** @type {Record<string, number>} */
  #ms = measured();
  #engine;
  #store;
  standard = "";
  /** Another one where the files of the engine are others. */
  runtime = "";

  /**
   * @param {() => any} engine
   * @param {any} store
   */
  constructor(engine, store) {
    super();
    this.#engine = engine;
    this.#store = store;
  }

  /** @param {any} store Where the person's own are. */
  keepIn(store) {
    this.#store = store;
  }

  /** Reads both lists. */
  async load() {
    const response = await fetch(SITE);
    if (!response.ok) {
      throw new WhatsitError("model-not-found", `the list of models gives ${response.status}`, {
        hint: "Reload the page",
      });
    }
    const index = await response.json();
    this.#site = index.models;
    this.standard = index.default;
    this.runtime = index.runtime;
    await this.#readOwn();
  }

  /** @returns {Listed[]} */
  list() {
    const site = this.#site.map((model) => listed(model, model.builtin, false));
    return [...site, ...this.#own].map((model) => ({ ...model, ms: this.#ms[model.name] ?? null }));
  }

  /** @param {string} name */
  has(name) {
    return this.list().some((model) => model.name === name);
  }

  /**
   * Puts a model into use. One that fails leaves the one before in use.
   *
   * @param {string} name
   * @param {(progress: {loaded: number}) => void} [onProgress]
   * @returns {Promise<ModelFacts>}
   */
  async use(name, onProgress = () => {}) {
    const facts = await this.#engine().open(await this.#source(name), onProgress);
    this.dispatchEvent(new CustomEvent("use", { detail: facts }));
    return facts;
  }

  /**
   * Opens a model from a file, keeps it in this browser, and puts it into use.
   *
   * @param {File} file
   * @returns {Promise<ModelFacts>}
   */
  async addOwn(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    return this.addBytes(this.#free(file.name.replace(/\.tflite$/i, "")), bytes, "file");
  }

  /**
   * The same of bytes that were made here.
   *
   * @param {string} name
   * @param {Uint8Array} bytes
   * @param {string} origin Such as "file" or "taught".
   * @returns {Promise<ModelFacts>}
   */
  async addBytes(name, bytes, origin) {
    const facts = await this.#engine().open({ name, bytes: bytes.slice() });
    try {
      await this.#store.models.put({ name, bytes, origin });
      this.#forget(name);
      await this.#readOwn();
    } finally {
      // In use it is by now, kept or not.
      this.dispatchEvent(new CustomEvent("use", { detail: facts }));
    }
    return facts;
  }

  /**
   * Takes one of the person's own away; the standard one is used instead if it was in use.
   *
   * @param {string} name
   */
  async remove(name) {
    if (this.#engine().model?.name === name) await this.use(this.standard);
    await this.#store.models.remove(name);
    this.#forget(name);
    await this.#readOwn();
  }

  /**
   * How long one picture took here, in the median.
   *
   * @param {string} name
   * @param {number} ms
   */
  noteMs(name, ms) {
    this.#ms[name] = ms;
    this.#keepMs();
    this.dispatchEvent(new Event("change"));
  }

  /** @param {string} name */
  async #source(name) {
    const site = this.#site.find((model) => model.name === name);
    if (site) return { name, url: site.file, sha256: site.sha256 };
    const own = await this.#store.models.get(name);
    if (own) return { name, bytes: own.bytes };
    throw new WhatsitError("model-not-found", `no model is called ${name}`, {
      hint: "Choose one in the settings",
    });
  }

  async #readOwn() {
    const found = await this.#store.models.list();
    this.#own = found.map((/** @type {any} */ model) => listed(model, false, true));
    this.dispatchEvent(new Event("change"));
  }

  /** A name that no model of the site has; the person's own of that name is replaced. */
  #free(/** @type {string} */ name) {
    const taken = (/** @type {string} */ other) => this.#site.some((model) => model.name === other);
    let free = name;
    for (let number = 2; taken(free); number++) free = `${name}-${number}`;
    return free;
  }

  #forget(/** @type {string} */ name) {
    delete this.#ms[name];
    this.#keepMs();
  }

  #keepMs() {
    try {
      storage()?.setItem(MS_KEY, JSON.stringify(this.#ms));
    } catch {
      // nothing is kept here: it is measured again
    }
  }
}

/**
 * @param {any} model
 * @param {boolean} builtin
 * @param {boolean} own
 * @returns {Listed}
 */
function listed(model, builtin, own) {
  return {
    name: model.name,
    bytes: model.bytes ?? model.size,
    classes: model.classes ?? 0,
    accuracy: model.accuracy ?? [],
    licence: model.licence ?? null,
    builtin,
    own,
    ms: null,
  };
}

/** @returns {Record<string, number>} */
function measured() {
  try {
    const kept = JSON.parse(storage()?.getItem(MS_KEY) ?? "{}");
    return Object.fromEntries(Object.entries(kept).filter(([, ms]) => Number.isFinite(ms)));
  } catch {
    return {}; // not ours
  }
}
