/**
 * The engine, as the app sees it: a model in a worker of its own, that answers what is in a picture.
 *
 * whatsit.classifier. Which build runs is found by what the browser can do; one that cannot be
 * started, or gives wrong answers, is left for the next, and `facts` tells why.
 */

import { WhatsitError } from "../core/errors.js";
import { repr } from "../core/repr.js";
import { parseRule } from "../core/rule.js";
import { fallbacks, features, reasonAgainst, threadsOf } from "./builds.js";
import { fetched } from "./fetching.js";
import { isFrame, look } from "./looking.js";
import { Port } from "./port.js";
import { MEASURED, replay } from "./selftest.js";
import { workerOf } from "./workers.js";

/** @typedef {import("./builds.js").Build} Build */
/** @typedef {import("./builds.js").Tried} Tried */
/** @typedef {import("./messages.js").Answer} Answer */
/** @typedef {import("./messages.js").Asked} Asked */
/** @typedef {import("./messages.js").Explained} Explained */
/** @typedef {import("./messages.js").Measured} Measured */
/** @typedef {import("./messages.js").ModelFacts} ModelFacts */
/** @typedef {import("./messages.js").ModelSource} ModelSource */
/** @typedef {import("./messages.js").Query} Query */
/** @typedef {import("./messages.js").Request} Request */
/** @typedef {import("./messages.js").Shown} Shown */
/** @typedef {import("./messages.js").Source} Source */
/** @typedef {import("./selftest.js").Best} Best */
/** @typedef {import("./selftest.js").Check} Check */
/** @typedef {import("./selftest.js").SelfTest} SelfTest */
/**
 * `build` is the best one to try, `threads` how many one picture gets: by default the cores, at
 * most 4. `log` hears what the engine writes.
 * @typedef {{build?: Build | "auto", threads?: number | null, log?: (text: string) => void}} Options
 */
/** @typedef {{loaded: number}} Progress */

const SITE = new URL("../", import.meta.url);

/**
 * Events: "died" (detail: the WhatsitError) when the worker has died. It is started again, with its
 * model, by the next request or by `restart`.
 */
export class Engine extends EventTarget {
  /** @type {Port | null} */
  #port = null;
  #canDraw = true;
  /** @type {Build | "auto"} */
  #wish;
  /** @type {number | null} */
  #wishedThreads;
  #log;
  /** @type {Build} */
  #build = "compat";
  #threads = 1;
  /** @type {Tried[]} */
  #tried = [];
  /** @type {{source: ModelSource, facts: ModelFacts} | null} */
  #open = null;
  /** @type {Promise<Record<string, Record<string, Best>>> | null} */
  #recorded = null;
  /** @type {Promise<void> | null} */
  #starting = null;
  /** @type {Promise<unknown>} */
  #opening = Promise.resolve();

  /** @param {Options} options Use `Engine.start`. */
  constructor({ build = "auto", threads = null, log = () => {} }) {
    super();
    this.#wish = build;
    this.#wishedThreads = threads;
    this.#log = log;
  }

  /**
   * An engine without a model. Throws runtime-unavailable where no build can be started.
   * @param {Options} [options]
   * @returns {Promise<Engine>}
   */
  static async start(options = {}) {
    const engine = Engine.begin(options);
    await engine.#starting;
    return engine;
  }

  /**
   * The same at once: what is asked of it waits until it has started, and fails if that does.
   * @param {Options} [options]
   * @returns {Engine}
   */
  static begin(options = {}) {
    const engine = new Engine(options);
    engine.#begin(fallbacks(engine.#wish)).catch(() => {});
    return engine;
  }

  /** What runs, and what was tried before it. */
  get facts() {
    const { isolated, relaxedSimd } = features();
    return {
      build: this.#build,
      threads: this.#threads,
      isolated,
      relaxedSimd,
      tried: this.#tried.map((tried) => ({ ...tried })),
      userAgent: navigator.userAgent,
    };
  }

  /** @returns {ModelFacts | null} of the model in use */
  get model() {
    return this.#open?.facts ?? null;
  }

  /**
   * Puts a model in use: its bytes, or its address below the site's. While that is fetched, and if
   * it fails, the one before stays. Throws download-failed, or what is wrong with the model. `onProgress` hears how many
   * bytes have been fetched.
   * @param {ModelSource} source
   * @param {(progress: Progress) => void} [onProgress]
   * @returns {Promise<ModelFacts>}
   */
  async open(source, onProgress = () => {}) {
    const model = { ...source };
    if (model.url !== undefined) model.url = new URL(model.url, SITE).href;
    // The one that is asked for last is the one in use in the end, however long each takes.
    const opening = Promise.all([bytesOf(model, onProgress), this.#opening]).then(
      async ([bytes]) => {
        const facts = await this.#opened(await this.#alive(), model, bytes);
        this.#open = { source: model, facts };
        return facts;
      },
    );
    this.#opening = opening.catch(() => {});
    return opening;
  }

  /**
   * What is in a picture. An ImageBitmap or VideoFrame is the engine's from then on, and closed.
   *
   * `rule` replaces the model's own; `exact: false` lets the browser resize frames of live video;
   * `all` adds the scores of all classes, `raw` asks for those that the model itself gives.
   * @param {Source} source
   * @param {Partial<Query>} [options]
   * @returns {Promise<Answer>}
   */
  async classify(source, options = {}) {
    const { top = 5, threshold = 0, rule = null, raw = false, exact = true, all = false } = options;
    const { coverage, acceptance } = options;
    const query = { top, threshold, rule, raw, exact, all, coverage, acceptance };
    return this.#askAbout(source, rule, exact, (shown) => ({ kind: "classify", query, ...shown }));
  }

  /**
   * The vector that the model's last layer reads. Throws model-unsupported for one without it.
   * @param {Source} source
   * @param {{exact?: boolean}} [options]
   * @returns {Promise<Float32Array>}
   */
  async embed(source, { exact = true } = {}) {
    return this.#askAbout(source, null, exact, (shown) => ({ kind: "embed", exact, ...shown }));
  }

  /**
   * Why a picture is taken for `target` (default: the likeliest class) and not for `versus`
   * (default: the likeliest of the others): whatsit.explain. Both are an index, a display name or
   * a WordNet id. Throws model-unsupported, with the reason, for a model that cannot say why.
   * @param {Source} source
   * @param {Partial<Asked>} [options]
   * @returns {Promise<Explained>}
   */
  async explain(source, { target = null, versus = null, rule = null, exact = true } = {}) {
    const asked = { target, versus, rule, exact };
    return this.#askAbout(source, rule, exact, (shown) => ({ kind: "explain", asked, ...shown }));
  }

  /**
   * Whether the build gives the recorded answers; if not, the next one is taken and tested.
   *
   * Of a model without recorded answers is known only that it runs. `passed` is false where no
   * build gives them: then none must be used.
   * @param {(check: Check) => void} [onStep]
   * @returns {Promise<SelfTest>}
   */
  async selfTest(onStep = () => {}) {
    for (;;) {
      const build = this.#build;
      const checks = await this.#replayed(onStep);
      const wrong = checks.find((check) => !check.passed);
      if (wrong === undefined) return { passed: true, build, checks };
      this.#note({ build, passed: false, reason: wrong.reason });
      if (!(await this.#next())) return { passed: false, build, checks };
    }
  }

  /**
   * How long one picture takes, by stage: preprocess, inference, post and total.
   * @param {{runs?: number, warmup?: number,
   *   onStep?: (step: {done: number, of: number, total: number}) => void}} [options]
   * @returns {Promise<Measured>}
   */
  async measure({ runs = 50, warmup = 10, onStep = () => {} } = {}) {
    const picture = await sample(MEASURED);
    const port = await this.#alive();
    return port.ask({ kind: "measure", picture, runs, warmup }, [], onStep);
  }

  /**
   * Starts anew, with the model that was open.
   * @param {{build?: Build | "auto", threads?: number | null}} [options]
   */
  async restart({ build = this.#wish, threads = this.#wishedThreads } = {}) {
    this.#wish = build;
    this.#wishedThreads = threads;
    this.#tried = [];
    await this.#begin(fallbacks(build));
  }

  /** Ends the worker. The next request would start another. */
  close() {
    this.#port?.close();
  }

  /**
   * One start at a time: whoever comes meanwhile waits for it.
   * @param {readonly Build[]} builds
   * @returns {Promise<void>}
   */
  #begin(builds) {
    const before = this.#starting ?? Promise.resolve();
    const starting = before.catch(() => {}).then(() => this.#started(builds));
    this.#starting = starting;
    return starting;
  }

  /** @param {readonly Build[]} builds */
  async #started(builds) {
    const found = features();
    const threads = threadsOf(this.#wishedThreads);
    for (const build of builds) {
      const reason = reasonAgainst(build, found, threads) || (await this.#tryBuild(build, threads));
      this.#note({ build, passed: reason === "", reason });
      if (reason === "") return;
    }
    const last = this.#tried[this.#tried.length - 1];
    throw new WhatsitError("runtime-unavailable", `no engine starts here: ${last.reason}`, {
      expected: "a browser with WebAssembly and SIMD",
      hint: "update the browser; close other tabs if memory is short",
    });
  }

  /**
   * Why a build does not start, or does not run the model that is open; empty if it does.
   * @param {Build} build
   * @param {number} threads
   * @returns {Promise<string>}
   */
  async #tryBuild(build, threads) {
    this.#port?.close();
    const worker = workerOf({ build, threads });
    const port = new Port(worker, this.#log, (error) => this.#died(port, error));
    this.#port = port;
    this.#build = build;
    this.#threads = build === "threaded" ? threads : 1;
    try {
      const { canDraw } = await port.ask({ kind: "init", threads: this.#threads });
      this.#canDraw = canDraw;
      if (this.#open !== null) {
        const { source } = this.#open;
        await this.#opened(port, source, await bytesOf(source));
      }
      return "";
    } catch (error) {
      port.close();
      return error instanceof Error ? error.message : String(error);
    }
  }

  /**
   * The next build in the place of one that gives wrong answers; false if there is none.
   * @returns {Promise<boolean>}
   */
  async #next() {
    const others = fallbacks(this.#build).slice(1);
    if (others.length === 0) return false;
    await this.#begin(others);
    return true;
  }

  /**
   * The worker, started again if it has died.
   * @returns {Promise<Port>}
   */
  async #alive() {
    await this.#starting?.catch(() => {});
    if (this.#port === null || this.#port.dead !== null) await this.#begin(fallbacks(this.#build));
    return /** @type {Port} */ (this.#port);
  }

  /**
   * @param {Port} port
   * @param {ModelSource} source
   * @param {Uint8Array} bytes
   * @returns {Promise<ModelFacts>}
   */
  async #opened(port, { name, sha256, url }, bytes) {
    const transfer = url === undefined ? [] : [bytes.buffer]; // what others gave, they may need
    const [facts, answers] = await Promise.all([
      port.ask({ kind: "open", model: { name, sha256, bytes } }, transfer),
      this.#answers().catch(() => ({})), // selfTest says that they are missing
    ]);
    return { ...facts, builtin: facts.sha256 in answers };
  }

  /**
   * @param {Source} source
   * @param {string | null} rule
   * @param {boolean} exact
   * @param {(shown: Shown) => Request} request
   * @returns {Promise<any>}
   */
  async #askAbout(source, rule, exact, request) {
    try {
      const port = await this.#alive();
      const { shown, transfer } = await this.#shown(source, rule, exact);
      return await port.ask(request(shown), transfer);
    } finally {
      if (isFrame(source)) source.close(); // of one that the worker has, this is but the husk
    }
  }

  /**
   * What goes to the worker for a picture: the picture, or what the page has made of it.
   * @param {Source} source
   * @param {string | null} rule
   * @param {boolean} exact
   * @returns {Promise<{shown: Shown, transfer: Transferable[]}>}
   */
  async #shown(source, rule, exact) {
    if (this.#canDraw) {
      return { shown: { picture: source }, transfer: isFrame(source) ? [source] : [] };
    }
    const model = this.#open?.facts;
    if (model === undefined) {
      throw new WhatsitError("wrong-usage", "no model is open", { expected: "open(…) before this" });
    }
    const looked = await look(source, parseRule(rule ?? model.rule), model.input, exact);
    return { shown: { looked }, transfer: [looked.pixels.buffer] };
  }

  /** @param {(check: Check) => void} onStep */
  async #replayed(onStep) {
    const expected = (await this.#answers())[this.model?.sha256 ?? ""] ?? null;
    /** @param {string} picture */
    const score = async (picture) => {
      const { scores } = await this.classify(await sample(picture), { raw: true, all: true });
      return /** @type {Float32Array} */ (scores);
    };
    return replay(score, expected, onStep);
  }

  /** The recorded answers: sha256 of a model → picture → its best classes. */
  #answers() {
    this.#recorded ??= sample("expected.json").then(async (file) => JSON.parse(await file.text()));
    this.#recorded.catch(() => (this.#recorded = null)); // it is fetched again next time
    return this.#recorded;
  }

  /** @param {Tried} tried in the place of what was said of that build */
  #note(tried) {
    this.#tried = [...this.#tried.filter(({ build }) => build !== tried.build), tried];
  }

  /**
   * @param {Port} port
   * @param {WhatsitError} error
   */
  #died(port, error) {
    if (port === this.#port) this.dispatchEvent(new CustomEvent("died", { detail: error }));
  }
}

/**
 * A file that the self-test needs. Throws download-failed.
 * @param {string} name
 * @returns {Promise<Blob>}
 */
async function sample(name) {
  const hint = "is the network there? What was used before works without one";
  try {
    const response = await fetch(new URL(`samples/${name}`, SITE));
    if (response.ok) return await response.blob();
    throw new Error(`the server answers ${response.status}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `${repr(name)} cannot be fetched: ${reason}`;
    throw new WhatsitError("download-failed", message, { hint });
  }
}

/**
 * @param {ModelSource} source
 * @param {(progress: Progress) => void} [onProgress]
 * @returns {Promise<Uint8Array>}
 */
async function bytesOf(source, onProgress = () => {}) {
  return source.bytes ?? (await fetched(source, onProgress));
}
