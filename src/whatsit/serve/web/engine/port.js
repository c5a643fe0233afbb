/** The page's end of one worker: requests, their answers, and what happens when the worker dies. */

import { WhatsitError } from "../core/errors.js";

/** @typedef {import("./messages.js").Request} Request */
/** @typedef {(value: any) => void} Listener */
/** @typedef {{resolve: Listener, reject: Listener, onStep: Listener}} Pending */

export class Port {
  #worker;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #next = 0;
  /** @type {WhatsitError | null} */
  #dead = null;
  #log;
  #onDeath;

  /**
   * @param {Worker} worker
   * @param {Listener} log what the engine writes
   * @param {(error: WhatsitError) => void} onDeath
   */
  constructor(worker, log, onDeath) {
    this.#worker = worker;
    this.#log = log;
    this.#onDeath = onDeath;
    this.#worker.onmessage = ({ data }) => this.#take(data);
    this.#worker.onerror = (event) => {
      event.preventDefault?.(); // it is told as an error of ours
      this.#die(event.message || "its script cannot be loaded");
    };
    this.#worker.onmessageerror = () => this.#die("an answer cannot be read");
  }

  /** Why nothing can be asked any more; null while all is well. */
  get dead() {
    return this.#dead;
  }

  /**
   * The answer to a request. Throws a WhatsitError.
   * @param {Request} request
   * @param {Transferable[]} [transfer] is gone from here then
   * @param {Listener} [onStep] hears what comes before the answer
   * @returns {Promise<any>}
   */
  ask(request, transfer = [], onStep = () => {}) {
    if (this.#dead !== null) return Promise.reject(this.#dead);
    const id = this.#next;
    this.#next += 1;
    return new Promise((resolve, reject) => {
      this.#worker.postMessage({ id, ...request }, transfer);
      this.#pending.set(id, { resolve, reject, onStep });
    });
  }

  /** Ends the worker; whatever was asked of it is rejected. */
  close() {
    this.#end(ended("it was closed"));
  }

  /** @param {any} message */
  #take(message) {
    if (message.kind === "log") this.#log(message.text);
    else if (message.kind === "broken") this.#die(message.reason);
    else this.#answer(message);
  }

  /** @param {any} message */
  #answer({ id, value, step, error, fatal }) {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (step !== undefined) {
      pending.onStep(step);
      return;
    }
    this.#pending.delete(id);
    if (error === undefined) {
      pending.resolve(value);
      return;
    }
    pending.reject(WhatsitError.from(error));
    if (fatal) this.#die(error.message);
  }

  /** @param {string} reason */
  #die(reason) {
    if (this.#dead !== null) return;
    const error = ended(reason);
    this.#end(error);
    this.#onDeath(error);
  }

  /** @param {WhatsitError} error */
  #end(error) {
    this.#dead ??= error;
    this.#worker.terminate();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(error);
  }
}

/**
 * @param {string} reason
 * @returns {WhatsitError}
 */
function ended(reason) {
  return new WhatsitError("runtime-unavailable", `the engine has stopped: ${reason}`, {
    hint: "it is started again with the next picture; close other tabs if memory is short",
  });
}
