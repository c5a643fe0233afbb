/** The page's end of one worker: requests, their answers, and what happens when the worker dies. */

import { WhatsitError } from "../core/errors.js";
import { Watch } from "./watch.js";

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
  #watch;
  #answered = false;

  /**
   * @param {Worker} worker
   * @param {Listener} log what the engine writes
   * @param {(error: WhatsitError) => void} onDeath
   */
  constructor(worker, log, onDeath) {
    this.#worker = worker;
    this.#log = log;
    this.#onDeath = onDeath;
    this.#watch = new Watch(
      () => worker.postMessage({ kind: "ping" }),
      () => this.#die("it no longer answers"),
    );
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
      try {
        this.#worker.postMessage({ id, ...request }, transfer);
      } catch (error) {
        reject(notSent(error));
        return;
      }
      this.#pending.set(id, { resolve, reject, onStep });
      // What comes before its first answer is fetched, and that may take any time.
      if (this.#answered) this.#watch.begin();
    });
  }

  /**
   * Ends the worker; whatever was asked of it, or will be, is rejected.
   * @param {WhatsitError} error
   */
  close(error) {
    this.#end(error);
  }

  /** @param {any} message */
  #take(message) {
    this.#watch.heard();
    if (message.kind === "pong") return;
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
    this.#answered = true;
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#watch.end();
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
    this.#watch.end();
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
export function ended(reason) {
  return new WhatsitError("runtime-unavailable", `the engine has stopped: ${reason}`, {
    hint: "it is started again with the next picture; close other tabs if memory is short",
  });
}

/**
 * Such as for a frame that was closed before its turn came.
 * @param {unknown} error
 * @returns {WhatsitError}
 */
function notSent(error) {
  const reason = error instanceof Error || error instanceof DOMException ? error.message : error;
  return new WhatsitError("wrong-usage", `this cannot be given to the engine: ${reason}`, {
    expected: "a picture, or a frame of a video that is not closed",
  });
}
