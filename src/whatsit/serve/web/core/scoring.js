/**
 * What goes into an engine, and what comes out of it as scores: `tensor` of whatsit.inputs,
 * `probabilities` and `real_numbers` of whatsit.runtimes.base, `_vector` of whatsit.scoring.
 */

import { WhatsitError } from "./errors.js";
import { general, repr } from "./repr.js";

/** @typedef {import("./bundle.js").Bundle} Bundle */
/** @typedef {import("./metadata.js").TensorInfo} TensorInfo */
/**
 * A tensor of `classes` values; a value stands for (value - zeroPoint) * scale, but for float32.
 * @typedef {{dtype: string, classes: number, scale: number, zeroPoint: number}} Spec
 */
/** @typedef {ArrayLike<number>} Values */

const ENGINE = "LiteRT"; // as it is called in errors
const PROBABILITY_SLACK = 1e-3; // float rounding, and the step of a quantised softmax
const LEVELS = 256;

/**
 * What an engine takes: the pixels for uint8, (pixels - mean) / std for float32.
 * @param {Bundle} bundle
 * @param {Uint8Array} pixels RGB
 * @returns {Uint8Array | Float32Array}
 */
export function inputTensor(bundle, pixels) {
  const { dtype, mean, std } = bundle.input;
  if (dtype === "uint8") return pixels;
  const tables = [0, 1, 2].map((c) => levels(mean[c] ?? mean[0], std[c] ?? std[0]));
  const tensor = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i += 3) {
    tensor[i] = tables[0][pixels[i]];
    tensor[i + 1] = tables[1][pixels[i + 1]];
    tensor[i + 2] = tables[2][pixels[i + 2]];
  }
  return tensor;
}

/**
 * What becomes of each level of a channel, each step in single precision.
 * @param {number} mean
 * @param {number} std
 * @returns {Float32Array}
 */
function levels(mean, std) {
  const [low, unit] = [Math.fround(mean), Math.fround(std)];
  return Float32Array.from({ length: LEVELS }, (_, level) => Math.fround(level - low) / unit);
}

/**
 * The scores in the output tensor, one a class. Throws model-damaged for anything but
 * probabilities.
 * @param {Bundle} bundle
 * @param {Values} output
 * @returns {Float32Array}
 */
export function scores(bundle, output) {
  const { output: spec, name } = bundle;
  if (output.length !== spec.classes) {
    throw failed(name, `it gives ${output.length} scores for ${spec.classes} classes`);
  }
  const found = dequantised(spec, output);
  const low = found.reduce((least, score) => (score >= least ? least : score), Infinity);
  const high = found.reduce((most, score) => (score <= most ? most : score), -Infinity);
  if (!(low >= -PROBABILITY_SLACK && high <= 1 + PROBABILITY_SLACK)) {
    const range = found.some(Number.isNaN) ? [NaN, NaN] : [low, high];
    const [from, to] = range.map((score) => general(score));
    const message = `model ${repr(name)} gives scores from ${from} to ${to}`;
    throw new WhatsitError("model-damaged", message, {
      expected: "probabilities from 0 to 1",
      hint: "the file is damaged, or its graph ends before the softmax",
    });
  }
  return found.map((score) => Math.min(1, Math.max(0, score)));
}

/**
 * A tensor on the way to the scores, such as the embedding, as real numbers. Throws model-damaged
 * for other than the numbers that `spec` promises.
 * @param {Bundle} bundle
 * @param {Spec} spec
 * @param {Values} output
 * @returns {Float32Array}
 */
export function realNumbers(bundle, spec, output) {
  const { name } = bundle;
  if (output.length !== spec.classes) {
    throw failed(name, `it gives ${output.length} values instead of ${spec.classes}`);
  }
  const found = dequantised(spec, output);
  if (spec.dtype === "float32" && !found.every(Number.isFinite)) {
    const what = "computes values that are no numbers on the way to its scores";
    const message = `model ${repr(name)} ${what}`;
    const hint = "the file is damaged, or its weights are too large";
    throw new WhatsitError("model-damaged", message, { hint });
  }
  return found;
}

/**
 * What an embedding is made of: the tensor at `index`, of which `tensorInfo` gave `info`. Throws
 * model-damaged for one that is no vector.
 * @param {Bundle} bundle
 * @param {number} index
 * @param {TensorInfo} info
 * @returns {Spec}
 */
export function vectorSpec(bundle, index, info) {
  const shape = info.shape.length > 0 ? info.shape : [0];
  const width = shape[shape.length - 1];
  const others = shape.slice(0, -1);
  const one = others.length >= 1 && others.length <= 3 && others.every((side) => side === 1);
  if (!one || width < 1) {
    const sides = `[${info.shape.join(", ")}]`;
    throw noEmbedding(bundle, index, `it is of shape ${sides}, not one vector`);
  }
  if (info.dtype === "float32") return { dtype: "float32", classes: width, scale: 1, zeroPoint: 0 };
  if (info.dtype !== "int8" && info.dtype !== "uint8") {
    throw noEmbedding(bundle, index, `it is of type ${info.dtype}`);
  }
  const { scale, zeroPoint } = info;
  if (scale === null || info.severalScales || !(scale > 0 && scale < Infinity)) {
    throw noEmbedding(bundle, index, "it has no single scale");
  }
  return { dtype: info.dtype, classes: width, scale, zeroPoint };
}

/**
 * @param {Spec} spec
 * @param {Values} output
 * @returns {Float32Array}
 */
function dequantised(spec, output) {
  if (spec.dtype === "float32") return Float32Array.from(output);
  const [zero, scale] = [Math.fround(spec.zeroPoint), Math.fround(spec.scale)];
  return Float32Array.from(output, (value) => Math.fround(value - zero) * scale);
}

/**
 * The error of a model that the engine refuses, or that does not survive it.
 * @param {string} name
 * @param {string} reason
 * @returns {WhatsitError}
 */
export function failed(name, reason) {
  const said = reason.split(/\s+/).filter(Boolean).join(" ");
  return new WhatsitError("model-damaged", `${ENGINE} cannot run model ${repr(name)}: ${said}`, {
    hint: `the file is damaged, or made for another version of ${ENGINE}`,
  });
}

/**
 * @param {Bundle} bundle
 * @param {number} index
 * @param {string} reason
 * @returns {WhatsitError}
 */
function noEmbedding(bundle, index, reason) {
  const error = new WhatsitError(
    "model-damaged",
    `tensor ${index} cannot be its embedding: ${reason}`,
    {
      expected: "one vector of float32, int8 or uint8",
      hint: "download or copy it again",
    },
  );
  return error.about(`model ${repr(bundle.name)}`);
}
