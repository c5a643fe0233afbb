/** The model that is built on: the one in use if it can be taught, else the standard one. */

import { readBundle } from "../../core/bundle.js";
import { WhatsitError } from "../../core/errors.js";
import { findHead } from "../../core/teach/head.js";
import { TEACH } from "./words.js";

const TAUGHT = "taught"; // the origin of what is kept from here

/** @typedef {import("../types.js").App} App */
/** @typedef {import("./project.js").Project} Project */

export class Backbone {
  #own = false; // the change of the model comes from here
  /** The site's file that was read last, not to be fetched each time. @type {Promise<Uint8Array>|null} */
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
    const kept = this.project.count > 0 && models.has(this.project.backbone);
    const first = kept ? this.project.backbone : engine.model.name;
    const reason = await this.#reasonAgainst(first);
    const name = reason === null ? first : models.standard;
    if (kept && reason !== null) this.app.say(TEACH.otherBackbone(first, name));
    if (!wanted()) return;
    if (name !== engine.model.name) await this.#use(name);
    this.#built();
  }

  /** Another model was chosen while this view was shown: it is built on, if that can be. */
  async choose() {
    const { name } = this.app.engine.model;
    if ((await this.#reasonAgainst(name)) !== null) {
      const other = this.app.models.standard;
      this.app.say(TEACH.otherBackbone(name, other));
      await this.#use(other);
    }
    this.#built();
  }

  /** Puts the model into use that the person chose. */
  async giveBack() {
    await this.#ours(() => this.app.models.giveBack());
  }

  /** Its file. @returns {Promise<{name: string, bytes: Uint8Array}>} */
  async file() {
    const { backbone: name } = this.project;
    return { name, bytes: await this.#bytesOf(name) };
  }

  /** @param {string} name */
  async #use(name) {
    await this.#ours(() => this.app.models.borrow(name));
  }

  /**
   * Keeps what was taught, and puts it into use.
   * @param {string} name
   * @param {Uint8Array} bytes
   */
  async keep(name, bytes) {
    await this.#ours(() => this.app.models.addBytes(name, bytes, TAUGHT));
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
    const own = await this.app.models.own(name);
    if (own?.origin === TAUGHT) return new WhatsitError("model-unsupported", "it was taught here");
    try {
      findHead(readBundle(await this.#bytesOf(name), name));
      return null;
    } catch (error) {
      if (error instanceof WhatsitError && error.code.startsWith("model-")) return error;
      throw error;
    }
  }

  /**
   * @param {string} name
   * @returns {Promise<Uint8Array>}
   */
  async #bytesOf(name) {
    const own = await this.app.models.own(name);
    if (own) return own.bytes; // another file may have this name by now
    if (this.#file === null || this.#fileOf !== name) {
      this.#file = this.app.models.bytes(name);
      this.#fileOf = name;
      this.#file.catch(() => (this.#file = null)); // it is fetched again next time
    }
    return this.#file;
  }
}
