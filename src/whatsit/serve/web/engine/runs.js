/**
 * Which build runs: the best one that starts, and what was tried before it.
 *
 * There is one worker at a time. One that has died is started again by whoever asks for it next; a
 * build that gave wrong answers is not tried again until a person asks for another start.
 */

import { WhatsitError } from "../core/errors.js";
import { fallbacks, features, reasonAgainst, threadsOf } from "./builds.js";
import { bytesOf } from "./fetching.js";
import { ended } from "./port.js";
import { Session } from "./session.js";

/** @typedef {import("./builds.js").Build} Build */
/** @typedef {import("./builds.js").Tried} Tried */
/** @typedef {import("./messages.js").ModelSource} ModelSource */
/** @typedef {{build: Build | "auto", threads: number | null}} Wish */
/** @typedef {{log: (text: string) => void, onDeath: (error: WhatsitError) => void}} Heard */

export class Runs {
  #heard;
  #wish;
  /** @type {readonly Build[]} */
  #builds; // what may still be used, best first
  /** @type {Session | null} */
  #session = null;
  /** @type {Promise<Session> | null} */
  #starting = null;
  /** @type {readonly Tried[]} */
  #tried = [];
  #closed = false;

  /**
   * @param {Wish} wish
   * @param {Heard} heard `onDeath`: of a worker that had started
   */
  constructor(wish, heard) {
    this.#wish = wish;
    this.#heard = heard;
    this.#builds = fallbacks(wish.build);
  }

  /** @returns {{build: Build, threads: number, tried: Tried[]}} */
  get facts() {
    const { build, threads } = this.#session ?? { build: this.#builds[0] ?? "compat", threads: 1 };
    return { build, threads, tried: this.#tried.map((tried) => ({ ...tried })) };
  }

  /**
   * A worker that has started, with this model in it; if none is named, with whatever it has.
   * Throws runtime-unavailable, or what keeps the model from being there.
   * @param {ModelSource | null} source
   * @returns {Promise<Session>}
   */
  async session(source) {
    await this.#starting?.catch(() => {}); // told to whoever began it
    let session = this.#session;
    if (session === null || session.dead) session = await this.start(source);
    // Started for another model, it is still empty if that one could not be opened.
    if (source !== null && session.source !== source) {
      await session.hold(source, await bytesOf(source));
    }
    return session;
  }

  /**
   * Starts the best of the builds; who asks meanwhile is given the same start.
   * @param {ModelSource | null} source
   * @returns {Promise<Session>}
   */
  start(source) {
    this.#starting ??= this.#started(source).finally(() => (this.#starting = null));
    return this.#starting;
  }

  /**
   * Starts anew, as wished for now or before.
   * @param {Partial<Wish>} wish
   * @param {ModelSource | null} source
   */
  async restart({ build = this.#wish.build, threads = this.#wish.threads }, source) {
    await this.#idle();
    this.#wish = { build, threads };
    this.#builds = fallbacks(build);
    this.#tried = [];
    await this.start(source);
  }

  /**
   * Takes the next build in the place of one that gives wrong answers; false if there is none.
   * @param {Build} build
   * @param {string} reason
   * @param {ModelSource | null} source
   * @returns {Promise<boolean>}
   */
  async next(build, reason, source) {
    await this.#idle();
    this.#note({ build, passed: false, reason });
    this.#builds = this.#builds.slice(this.#builds.indexOf(build) + 1);
    if (this.#builds.length === 0) return false;
    await this.start(source);
    return true;
  }

  /** Ends the worker, and whatever was to start one, for good. */
  close() {
    this.#closed = true;
    this.#session?.close(closed());
  }

  /** Until nothing is being started: what is set then counts for the next start. */
  async #idle() {
    while (this.#starting !== null) await this.#starting.catch(() => {}); // told to who began it
  }

  /**
   * @param {ModelSource | null} source
   * @returns {Promise<Session>}
   */
  async #started(source) {
    // Before the old one ends: without its model a new one is of no use.
    const model = source && { source, bytes: await bytesOf(source) };
    this.#session?.replace();
    const found = features();
    const threads = threadsOf(this.#wish.threads);
    for (const build of this.#builds) {
      const reason =
        reasonAgainst(build, found, threads) || (await this.#tryBuild(build, threads, model));
      this.#note({ build, passed: reason === "", reason });
      if (reason !== "") continue;
      this.#builds = this.#builds.slice(this.#builds.indexOf(build));
      return /** @type {Session} */ (this.#session);
    }
    const { reason } = this.#tried[this.#tried.length - 1];
    throw new WhatsitError("runtime-unavailable", `no engine starts here: ${reason}`, {
      expected: "a browser with WebAssembly and SIMD",
      hint: "update the browser; close other tabs if memory is short",
    });
  }

  /**
   * Why a build does not start, or does not run the model; empty if it does.
   * @param {Build} build
   * @param {number} threads
   * @param {{source: ModelSource, bytes: Uint8Array} | null} model
   * @returns {Promise<string>}
   */
  async #tryBuild(build, threads, model) {
    if (this.#closed) throw closed();
    const onDeath = (/** @type {WhatsitError} */ error) => this.#died(session, error);
    const session = new Session(build, threads, { log: this.#heard.log, onDeath });
    this.#session = session;
    try {
      await session.start();
      if (model !== null) await session.hold(model.source, model.bytes);
      return "";
    } catch (error) {
      if (this.#closed) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      session.close(ended(reason));
      return reason;
    }
  }

  /** @param {Tried} tried in the place of what was said of that build */
  #note(tried) {
    this.#tried = [...this.#tried.filter(({ build }) => build !== tried.build), tried];
  }

  /**
   * @param {Session} session
   * @param {WhatsitError} error
   */
  #died(session, error) {
    // One that dies while it starts is left for the next build, which is no news to a person.
    if (session === this.#session && this.#starting === null) this.#heard.onDeath(error);
  }
}

/** @returns {WhatsitError} */
function closed() {
  return new WhatsitError("runtime-unavailable", "the engine was closed", {
    hint: "reload the page",
  });
}
