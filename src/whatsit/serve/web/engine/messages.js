/**
 * What the page and the worker say to each other. No code: types only.
 *
 * A request is `{id, kind, …}`; the worker answers each with its id, one after the other. A "ping"
 * it answers with a "pong" at once, unless it computes.
 *
 * @typedef {import("../core/errors.js").ErrorJSON} ErrorJSON
 * @typedef {import("./builds.js").Build} Build
 * @typedef {import("../app/types.js").Result} Result
 * @typedef {import("../app/types.js").Crop} Crop
 *
 * @typedef {{width: number, height: number, data: Uint8Array | Uint8ClampedArray}} Pixels Of 3 or 4
 *   bytes each.
 * @typedef {Blob | ImageBitmap | VideoFrame | Pixels} Source
 *
 * @typedef {Object} Looked What the model is given of a picture.
 * @property {Uint8Array} pixels
 * @property {[number, number]} size Of the picture, width first.
 * @property {Crop} crop
 * @property {{decode: number, preprocess: number}} timings
 *
 * @typedef {{name: string, bytes?: Uint8Array, url?: string, sha256?: string}} ModelSource
 * @typedef {{name: string, bytes: Uint8Array, sha256?: string}} WholeModel
 *
 * @typedef {Object} ModelFacts
 * @property {string} name
 * @property {number} bytes
 * @property {string} sha256
 * @property {number} classes
 * @property {[number, number]} input Height first.
 * @property {string} rule
 * @property {string[]} labels
 * @property {import("../app/types.js").Accuracy[]} accuracy
 * @property {string|null} licence
 * @property {boolean} calibrated
 * @property {string[]} notes
 * @property {boolean} builtin
 *
 * @typedef {Object} Query
 * @property {number} top
 * @property {number} threshold
 * @property {string|null} rule
 * @property {number} [coverage]
 * @property {number} [acceptance]
 * @property {boolean} raw
 * @property {boolean} exact
 * @property {boolean} all
 *
 * @typedef {Object} Asked What is to be explained: `target` by default the likeliest class, `versus`
 *   the likeliest of the others.
 * @property {import("../core/explain.js").ClassKey} target
 * @property {import("../core/explain.js").ClassKey} versus
 * @property {string|null} rule
 * @property {boolean} exact
 *
 * @typedef {import("../core/explain.js").Explanation & {size: [number, number]}} Explained `size` is
 *   that of the picture, width first.
 *
 * @typedef {Object} Answer
 * @property {Result} result
 * @property {Float32Array} [scores]
 * @property {[number, number]} size
 * @property {Crop} crop
 * @property {[number, number]} inputSize Width first.
 * @property {Record<string, number>} timings
 *
 * @typedef {{median: number, p95: number, mean: number, min: number, max: number}} Spread In ms.
 * @typedef {{runs: number, stages: Record<string, Spread>}} Measured
 *
 * @typedef {{picture: Source, looked?: undefined} | {picture?: undefined, looked: Looked}} Shown
 *
 * @typedef {{kind: "init", threads: number}} Init
 * @typedef {{kind: "open", model: WholeModel}} Open
 * @typedef {{kind: "classify", query: Query} & Shown} Classify
 * @typedef {{kind: "embed", exact: boolean} & Shown} Embed
 * @typedef {{kind: "explain", asked: Asked} & Shown} Explain
 * @typedef {{kind: "measure", picture: Blob, runs: number, warmup: number}} Measure
 * @typedef {Init | Open | Classify | Embed | Explain | Measure} Request
 *
 * @typedef {{id: number, value: any}} Done
 * @typedef {{id: number, error: ErrorJSON, fatal: boolean}} Refused `fatal`: the engine is broken.
 * @typedef {{id: number, step: any}} Step
 * @typedef {{kind: "broken", reason: string}} Broken
 * @typedef {{kind: "log", text: string}} Log
 */

export {};
