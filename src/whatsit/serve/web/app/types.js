/**
 * What the parts of the app hand to each other. No code: types only.
 *
 * @typedef {import("../core/errors.js").WhatsitError} WhatsitError
 *
 * @typedef {{data_set: string, top1: number, top1_interval: number[]}} Accuracy
 *
 * @typedef {{index: number, label: string, score: number}} Prediction
 *
 * @typedef {{id: string, label: string, score: number}} Ancestor
 *
 * @typedef {Object} Result The keys of whatsit.results.Result.to_json.
 * @property {string|null} path
 * @property {string} model
 * @property {"sure"|"ambiguous"|"unknown"|null} verdict
 * @property {string[]|null} set
 * @property {Ancestor|null} broader
 * @property {Ancestor|null} probably
 * @property {Prediction[]} predictions
 * @property {Record<string, number>} timings_ms
 *
 * @typedef {{left: number, top: number, right: number, bottom: number}} Crop Fractions of a picture.
 *
 * @typedef {Object} Answer
 * @property {Result} result
 * @property {Float32Array} [scores]
 * @property {[number, number]} size Of the picture, width first.
 * @property {Crop} crop
 * @property {[number, number]} inputSize
 * @property {Record<string, number>} timings In milliseconds, by stage.
 *
 * @typedef {Object} ModelFacts
 * @property {string} name
 * @property {number} bytes
 * @property {number} classes
 * @property {[number, number]} input Height first.
 * @property {string} rule
 * @property {string[]} labels
 * @property {Accuracy[]} accuracy
 * @property {string|null} licence
 * @property {boolean} calibrated
 * @property {string[]} notes
 *
 * @typedef {Object} EngineFacts
 * @property {string} build
 * @property {number} threads
 * @property {boolean} isolated
 * @property {boolean} relaxedSimd
 * @property {{build: string, passed: boolean, reason: string}[]} tried
 *
 * @typedef {Object} Listed One model that can be chosen.
 * @property {string} name
 * @property {number} bytes
 * @property {number} classes
 * @property {Accuracy[]} accuracy
 * @property {string|null} licence
 * @property {boolean} builtin
 * @property {boolean} own Kept in this browser alone.
 * @property {number|null} ms The median measured here, or null.
 *
 * @typedef {Object} App
 * @property {any} engine The Engine, or null while it starts.
 * @property {Promise<any>} ready Resolves to the engine once its answers are checked.
 * @property {import("./state.js").State} state
 * @property {any} store
 * @property {import("./models.js").Models} models
 * @property {import("./stage.js").Stage} stage
 * @property {(message: string, kind?: "note"|"good"|"bad") => void} say A passing note.
 * @property {(error: unknown) => void} fail An error as a card that stays until it is closed.
 * @property {() => Promise<void>} changedEngine Checks another backend, once it runs.
 * @property {(name: string) => void} open Goes to a view: "look", "teach" or "measure".
 *
 * @typedef {{show(): void, hide(): void}} View
 */

export {};
