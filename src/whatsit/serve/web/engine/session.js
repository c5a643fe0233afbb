/** One worker with one build of the engine, from its start to its end, and the model in it. */

import { Port, ended } from "./port.js";
import { workerOf } from "./workers.js";

/** @typedef {import("./builds.js").Build} Build */
/** @typedef {import("./messages.js").ModelFacts} ModelFacts */
/** @typedef {import("./messages.js").ModelSource} ModelSource */
/** @typedef {import("./messages.js").Request} Request */
/** @typedef {import("../core/errors.js").WhatsitError} WhatsitError */

export class Session {
  #port;
  #canDraw = true;
  #replaced = false;
  /** @type {ModelSource | null} */
  #source = null;

  /**
   * @param {Build} build
   * @param {number} threads
   * @param {{log: (text: string) => void, onDeath: (error: WhatsitError) => void}} heard
   */
  constructor(build, threads, { log, onDeath }) {
    this.build = build;
    this.threads = build === "threaded" ? threads : 1;
    this.#port = new Port(workerOf({ build, threads }), log, onDeath);
  }

  /** Whether its worker can draw pictures; where it cannot, the page must. */
  get canDraw() {
    return this.#canDraw;
  }

  get dead() {
    return this.#port.dead !== null;
  }

  /** Whether it was ended so that another can take its place. */
  get replaced() {
    return this.#replaced;
  }

  /** Of the model in it; null if it has none. */
  get source() {
    return this.#source;
  }

  /** Throws the reason why this build does not start. */
  async start() {
    this.#canDraw = (await this.ask({ kind: "init", threads: this.threads })).canDraw;
  }

  /**
   * Puts a model in the place of the one before, which stays if this one does not run.
   * @param {ModelSource} source
   * @param {Uint8Array} bytes
   * @param {Transferable[]} [transfer]
   * @returns {Promise<ModelFacts>}
   */
  async hold(source, bytes, transfer) {
    const { name, sha256 } = source;
    const facts = await this.ask({ kind: "open", model: { name, sha256, bytes } }, transfer);
    this.#source = source;
    return facts;
  }

  /**
   * @param {Request} request
   * @param {Transferable[]} [transfer]
   * @param {(value: any) => void} [onStep]
   * @returns {Promise<any>}
   */
  ask(request, transfer, onStep) {
    return this.#port.ask(request, transfer, onStep);
  }

  /** Ends it for another; who waits for an answer may ask that. */
  replace() {
    this.#replaced = true;
    this.close(ended("it was started anew"));
  }

  /** @param {WhatsitError} error for whoever waits for an answer */
  close(error) {
    this.#port.close(error);
  }
}
