/** The model that is built on: the one in use if it can be taught, else the standard one. */

import { readBundle } from "../../core/bundle.js";
import { WhatsitError } from "../../core/errors.js";
import { findHead } from "../../core/teach/head.js";
import { TEACH } from "./words.js";

const SITE = "models/index.json";
const TAUGHT = "taught"; // the origin of what is kept from here

/** @typedef {import("../types.js").App} App */
/** @typedef {import("./project.js").Project} Project */
/** @typedef {{name: string, bytes: Uint8Array}} File of a model */

export class Backbone {
  /** The model that was in use before this one. @type {string|null} */
  #before = null;
  #own = false; // the change of the model comes from here
  /** The last file of the site, not to be fetched each time. @type {Promise<File>|null} */
  #file = null;
  #fileOf = "";

  /**
   * @param {App} app
   * @param {Project} project
   * @param {() => void} chosen called when another model was chosen in the settings
   */
  constructor(app, project, chosen) {
    this.app = app;
    this.project = project;
    app.models.addEventListener("use", () => this.#own || chosen());
  }

  /** Whether it is the model in use. */
  get isOpen() {
    const model = this.app.engine?.model;
    return Boolean(model) && model.sha256 === this.project.embeddedBy;
  }

  /** The size of what the model takes, height first. @returns {[number, number]} */
  get input() {
    return this.app.engine?.model?.input ?? [224, 224];
  }

  /**
   * Puts it into use. `wanted()` may have become false while the engine started.
   * @param {() => boolean} wanted
   */
  async open(wanted) {
    const engine = await this.app.ready;
    const { models } = this.app;
    const current = engine.model?.name ?? models.standard;
    const kept = this.project.count > 0 && models.has(this.project.backbone);
    const first = kept ? this.project.backbone : current;
    const reason = await this.#reasonAgainst(first);
    const name = reason === null ? first : models.standard;
    if (kept && reason !== null) this.app.say(TEACH.otherBackbone(first, name));
    if (!wanted()) return;
    if (name !== current) {
      this.#before = current;
      await this.use(name);
    }
    this.#built();
  }

  /** Another model was chosen while this view was shown: it is built on, if that can be. */
  async choose() {
    const { name } = this.app.engine.model;
    this.#before = null;
    if ((await this.#reasonAgainst(name)) !== null) {
      const other = this.app.models.standard;
      this.#before = name;
      this.app.say(TEACH.otherBackbone(name, other));
      await this.use(other);
    }
    this.#built();
  }

  /** Puts the model into use that was in use before. */
  async giveBack() {
    const before = this.#before;
    this.#before = null;
    if (before !== null) await this.use(before);
  }

  /** Its file. */
  bytes() {
    return this.#bytesOf(this.project.backbone);
  }

  /** @param {string} name */
  async use(name) {
    await this.#ours(() => this.app.models.use(name));
  }

  /**
   * Keeps what was taught, and puts it into use.
   * @param {string} name
   * @param {Uint8Array} bytes
   */
  async keep(name, bytes) {
    await this.#ours(() => this.app.models.addBytes(name, bytes, TAUGHT));
    this.#before = null;
  }

  /** @param {() => Promise<unknown>} change */
  async #ours(change) {
    this.#own = true;
    try {
      await change();
    } finally {
      this.#own = false;
    }
  }

  #built() {
    const { name, sha256 } = this.app.engine.model;
    this.project.buildOn(name, sha256);
  }

  /**
   * Why no new last layer can be put into a model; null where one can.
   *
   * What was taught here stands on a model that is here too: that one is built on.
   * @param {string} name
   * @returns {Promise<WhatsitError | null>}
   */
  async #reasonAgainst(name) {
    const own = await this.app.store.models.get(name);
    if (own?.origin === TAUGHT) return new WhatsitError("model-unsupported", "it was taught here");
    try {
      const { bytes } = await this.#bytesOf(name);
      findHead(readBundle(bytes, name));
      return null;
    } catch (error) {
      if (error instanceof WhatsitError && error.code.startsWith("model-")) return error;
      throw error;
    }
  }

  /**
   * @param {string} name
   * @returns {Promise<File>}
   */
  async #bytesOf(name) {
    const own = await this.app.store.models.get(name);
    if (own) return { name, bytes: new Uint8Array(own.bytes) };
    if (this.#file === null || this.#fileOf !== name) {
      this.#file = ofSite(name);
      this.#fileOf = name;
      this.#file.catch(() => (this.#file = null)); // it is fetched again next time
    }
    return this.#file;
  }
}

/**
 * @param {string} name
 * @returns {Promise<File>}
 */
async function ofSite(name) {
  const index = await (await fetched(SITE)).json();
  const found = index.models.find((/** @type {any} */ model) => model.name === name);
  if (!found) throw new WhatsitError("model-not-found", `no model is called ${name}`);
  return { name, bytes: new Uint8Array(await (await fetched(found.file)).arrayBuffer()) };
}

/** @param {string} path */
async function fetched(path) {
  const response = await fetch(path);
  if (response.ok) return response;
  const message = `${path} cannot be fetched: the server answers ${response.status}`;
  throw new WhatsitError("download-failed", message, { hint: "is the network there?" });
}
