/**
 * The engine, as the app sees it: a model in a worker of its own, that answers what is in a picture.
 *
 * whatsit.classifier. Which build runs is found by what the browser can do; one that cannot be
 * started, or gives wrong answers, is left for the next, and `facts` tells why.
 */

import { features } from "./builds.js";
import { Recorded, SITE, bytesOf, sample } from "./fetching.js";
import { Runs } from "./runs.js";
import { MEASURED, replay } from "./selftest.js";
import { askAbout } from "./showing.js";
import { Turns } from "./turns.js";

/** @typedef {import("../core/errors.js").WhatsitError} WhatsitError */
/** @typedef {import("./fetching.js").OnProgress} OnProgress */
/** @typedef {import("./messages.js").Answer} Answer */
/** @typedef {import("./messages.js").ModelFacts} ModelFacts */
/** @typedef {import("./messages.js").ModelSource} ModelSource */
/** @typedef {import("./messages.js").Query} Query */
/** @typedef {import("./messages.js").Source} Source */
/** @typedef {import("./selftest.js").Check} Check */
/** @typedef {import("./selftest.js").SelfTest} SelfTest */
/**
 * `build` is the best one to try, `threads` how many one picture gets: by default the cores, at
 * most 4; `log` hears what the engine writes.
 * @typedef {Partial<import("./runs.js").Wish> & {log?: (text: string) => void}} Options
 */

/**
 * Events: "died" (detail: the WhatsitError) when the worker has died. It is started again, with its
 * model, by the next request or by `restart`.
 */
export class Engine extends EventTarget {
  #runs;
  #recorded = new Recorded();
  /** @type {{source: ModelSource, facts: ModelFacts} | null} */
  #open = null;
  #opens = new Turns(); // so that the model asked for last is the one in use in the end
  #changes = new Turns(); // of what a self-test needs to stay the same
  #testing = false;

  /** @param {Options} options Use `Engine.start`. */
  constructor({ build = "auto", threads = null, log = () => {} }) {
    super();
    this.#runs = new Runs({ build, threads }, { log, onDeath: (error) => this.#died(error) });
  }

  /**
   * An engine without a model. Throws runtime-unavailable where no build can be started.
   * @param {Options} [options]
   * @returns {Promise<Engine>}
   */
  static async start(options = {}) {
    const engine = new Engine(options);
    await engine.#runs.start(null);
    return engine;
  }

  /**
   * The same at once: what is asked of it waits until it has started.
   * @param {Options} [options]
   * @returns {Engine}
   */
  static begin(options = {}) {
    const engine = new Engine(options);
    engine.#runs.start(null).catch(() => {}); // told to whoever asks for something
    return engine;
  }

  /** What runs, and what was tried before it. */
  get facts() {
    const { isolated, relaxedSimd } = features();
    return { ...this.#runs.facts, isolated, relaxedSimd, userAgent: navigator.userAgent };
  }

  /** @returns {ModelFacts | null} of the model in use */
  get model() {
    return this.#open?.facts ?? null;
  }

  /**
   * Puts a model in use: its bytes, or its address below the site's. While that is fetched, and if
   * it fails, the one before stays. Throws download-failed, or what is wrong with the model.
   * @param {ModelSource} source
   * @param {OnProgress} [onProgress]
   * @returns {Promise<ModelFacts>}
   */
  async open(source, onProgress) {
    const model = { ...source };
    if (model.url !== undefined) model.url = new URL(model.url, SITE).href;
    const fetching = Promise.all([
      bytesOf(model, onProgress),
      this.#recorded.all().catch(() => ({})), // selfTest says that they are missing
    ]);
    fetching.catch(() => {}); // told when its turn has come
    return this.#opens.take(async () => {
      const [bytes, recorded] = await fetching;
      return this.#changes.take(() => this.#opened(model, bytes, recorded));
    });
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
    return this.#askAbout({ source, rule, exact }, (shown) => ({ kind: "classify", query, ...shown }));
  }

  /**
   * The vector that the model's last layer reads. Throws model-unsupported for one without it.
   * @param {Source} source
   * @param {{exact?: boolean}} [options]
   * @returns {Promise<Float32Array>}
   */
  async embed(source, { exact = true } = {}) {
    return this.#askAbout({ source, rule: null, exact }, (shown) => ({ kind: "embed", exact, ...shown }));
  }

  /**
   * Why a picture is taken for `target` (default: the likeliest class) and not for `versus`
   * (default: the likeliest of the others): whatsit.explain. Both are an index, a display name or
   * a WordNet id. Throws model-unsupported, with the reason, for a model that cannot say why.
   * @param {Source} source
   * @param {Partial<import("./messages.js").Asked>} [options]
   * @returns {Promise<import("./messages.js").Explained>}
   */
  async explain(source, { target = null, versus = null, rule = null, exact = true } = {}) {
    const asked = { target, versus, rule, exact };
    return this.#askAbout({ source, rule, exact }, (shown) => ({ kind: "explain", asked, ...shown }));
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
    return this.#changes.take(async () => {
      this.#testing = true;
      try {
        return await this.#tested(onStep);
      } finally {
        this.#testing = false;
      }
    });
  }

  /**
   * How long one picture takes, by stage: preprocess, inference, post and total.
   * @param {{runs?: number, warmup?: number,
   *   onStep?: (step: {done: number, of: number, total: number}) => void}} [options]
   * @returns {Promise<import("./messages.js").Measured>}
   */
  async measure({ runs = 50, warmup = 10, onStep = () => {} } = {}) {
    const picture = await sample(MEASURED);
    const session = await this.#session();
    return session.ask({ kind: "measure", picture, runs, warmup }, [], onStep);
  }

  /**
   * Starts anew, with the model that was open. What is asked meanwhile waits for it.
   * @param {Partial<import("./runs.js").Wish>} [options]
   */
  async restart(options = {}) {
    await this.#changes.take(() => this.#runs.restart(options, this.#source));
  }

  /** Ends the worker, for good: all that is asked, then or later, fails. */
  close() {
    this.#runs.close();
  }

  get #source() {
    return this.#open?.source ?? null;
  }

  /** The worker with that model, started again if it has died. */
  #session() {
    return this.#runs.session(this.#source);
  }

  /**
   * @param {ModelSource} source
   * @param {Uint8Array} bytes
   * @param {Record<string, unknown>} recorded
   * @returns {Promise<ModelFacts>}
   */
  async #opened(source, bytes, recorded) {
    // The one before is not asked for: a worker that it has ended is to start without it.
    const session = await this.#runs.session(null);
    const transfer = source.url === undefined ? [] : [bytes.buffer]; // what others gave, they may need
    const facts = await session.hold(source, bytes, transfer);
    this.#open = { source, facts: { ...facts, builtin: facts.sha256 in recorded } };
    return this.#open.facts;
  }

  /**
   * @param {import("./showing.js").Picture} picture
   * @param {(shown: import("./messages.js").Shown) => import("./messages.js").Request} request
   * @returns {Promise<any>}
   */
  #askAbout(picture, request) {
    const engine = { session: () => this.#session(), model: () => this.model };
    return askAbout(engine, picture, request);
  }

  /**
   * @param {(check: Check) => void} onStep
   * @returns {Promise<SelfTest>}
   */
  async #tested(onStep) {
    for (;;) {
      const { build } = this.facts;
      const checks = await this.#replayed(onStep);
      const wrong = checks.find((check) => !check.passed);
      if (wrong === undefined) return { passed: true, build, checks };
      if (!(await this.#runs.next(build, wrong.reason, this.#source))) {
        return { passed: false, build, checks };
      }
    }
  }

  /** @param {(check: Check) => void} onStep */
  async #replayed(onStep) {
    const expected = (await this.#recorded.all())[this.model?.sha256 ?? ""] ?? null;
    /** @param {string} picture */
    const score = async (picture) => {
      const { scores } = await this.classify(await sample(picture), { raw: true, all: true });
      return /** @type {Float32Array} */ (scores);
    };
    return replay(score, expected, onStep);
  }

  /** @param {WhatsitError} error */
  #died(error) {
    // A build that dies of its self-test is left for the next one: no news to a person.
    if (!this.#testing) this.dispatchEvent(new CustomEvent("died", { detail: error }));
  }
}
