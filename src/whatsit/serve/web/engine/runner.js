/** One model, compiled by LiteRT.js: from its input tensor to scores and one tensor more. */

import { WhatsitError } from "../core/errors.js";
import { failed, inputTensor, realNumbers, scores, vectorSpec } from "../core/scoring.js";
import { hasFloat16, tapped, tensorInfo } from "../core/taps.js";

/** @typedef {import("../core/bundle.js").Bundle} Bundle */
/** @typedef {import("../core/scoring.js").Spec} Spec */
/** @typedef {{tensor: number, spec: Spec}} Tap a tensor that is given besides the scores */
/** @typedef {{values: Float32Array, tapped: Float32Array | null}} Output */

export class Runner {
  #liteRt;
  #compiled;
  #bundle;
  #tap;

  /**
   * @param {any} liteRt
   * @param {any} compiled
   * @param {Bundle} bundle
   * @param {Tap | null} tap
   */
  constructor(liteRt, compiled, bundle, tap) {
    this.#liteRt = liteRt;
    this.#compiled = compiled;
    this.#bundle = bundle;
    this.#tap = tap;
  }

  /**
   * A model that has run once. Throws model-damaged for one that cannot be run.
   * @param {any} liteRt what rt/litert.js defines, loaded
   * @param {Bundle} bundle
   * @param {Tap | null} tap
   * @param {number} threads
   * @returns {Promise<Runner>}
   */
  static async open(liteRt, bundle, tap, threads) {
    const graph = await fastGraph(bundle);
    const bytes = tap === null ? graph : tapped(graph, tap.tensor);
    const compiled = await compile(liteRt, bundle, bytes, threads);
    const runner = new Runner(liteRt, compiled, bundle, tap);
    try {
      // The first run compiles and allocates; what fails, fails before the model is in use.
      await runner.run(new Uint8Array(bundle.input.height * bundle.input.width * 3));
    } catch (error) {
      if (!isBroken(error)) runner.delete();
      throw error;
    }
    return runner;
  }

  /** Whether `run` gives more than scores. */
  get taps() {
    return this.#tap !== null;
  }

  /**
   * @param {Uint8Array} pixels
   * @returns {Promise<Output>}
   */
  async run(pixels) {
    const { name, input } = this.#bundle;
    const values = inputTensor(this.#bundle, pixels);
    const tensor = new this.#liteRt.Tensor(values, [1, input.height, input.width, 3]);
    /** @type {any[]} */
    let outputs = [];
    try {
      outputs = await this.#compiled.run(tensor);
      return this.#read(outputs.map((output) => output.toTypedArray()));
    } catch (error) {
      if (error instanceof WhatsitError || isBroken(error)) throw error;
      throw failed(name, reasonOf(error));
    } finally {
      // They lie in the wasm's memory, where nothing else would free them.
      tensor.delete();
      for (const output of outputs) output.delete();
    }
  }

  delete() {
    this.#compiled.delete();
  }

  /**
   * @param {any[]} arrays
   * @returns {Output}
   */
  #read(arrays) {
    const { name } = this.#bundle;
    const expected = this.#tap === null ? 1 : 2;
    if (arrays.length !== expected) {
      throw failed(name, `it finds ${arrays.length} outputs instead of ${expected}`);
    }
    const values = scores(this.#bundle, arrays[0]);
    if (this.#tap === null) return { values, tapped: null };
    return { values, tapped: realNumbers(this.#bundle, this.#tap.spec, arrays[1]) };
  }
}

/**
 * The embedding at `tensor` as a tap. Throws model-damaged for what is no vector.
 * @param {Bundle} bundle
 * @param {number | null} tensor
 * @returns {Tap | null}
 */
export function embeddingTap(bundle, tensor) {
  if (tensor === null) return null;
  return { tensor, spec: vectorSpec(bundle, tensor, tensorInfo(bundle.bytes, tensor)) };
}

/**
 * Whether an error means that the wasm itself is broken, and nothing more can be asked of it.
 * @param {unknown} error
 * @returns {boolean}
 */
export function isBroken(error) {
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) return true;
  return error instanceof Error && /^Aborted|out of memory/i.test(error.message);
}

/**
 * The graph that runs fastest here.
 * @param {Bundle} bundle
 * @returns {Promise<Uint8Array>}
 */
async function fastGraph(bundle) {
  if (!hasFloat16(bundle.bytes)) return bundle.bytes;
  const { withFloat32 } = await import("../core/float32.js");
  return withFloat32(bundle);
}

/**
 * @param {any} liteRt
 * @param {Bundle} bundle
 * @param {Uint8Array} bytes
 * @param {number} threads
 */
async function compile(liteRt, bundle, bytes, threads) {
  try {
    // wasm is named, since where there is a graphics processor the default is another.
    const options = { accelerator: "wasm", cpuOptions: { numThreads: threads } };
    return await liteRt.loadAndCompile(bytes, options);
  } catch (error) {
    if (isBroken(error)) throw error;
    throw failed(bundle.name, reasonOf(error));
  }
}

/**
 * @param {unknown} error
 * @returns {string}
 */
function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}
