/**
 * The one picture that goes into a graph and the scores that come out, checked as whatsit.bundle
 * checks them.
 */

import { unsupported, withoutMetadata } from "./errors.js";
import { repr, reprFloats } from "./repr.js";

/** @typedef {import("./bundle.js").Bundle} Bundle */
/** @typedef {import("./metadata.js").Layout} Layout */
/** @typedef {import("./metadata.js").Metadata} Metadata */
/** @typedef {import("./metadata.js").TensorInfo} TensorInfo */
/**
 * The input tensor (1, height, width, 3). mean and std (one or three) count for float32.
 * @typedef {{dtype: "uint8" | "float32", height: number, width: number, mean: number[],
 *   std: number[]}} InputSpec
 */
/**
 * The output tensor; score = (value - zeroPoint) * scale for uint8.
 * @typedef {{dtype: "uint8" | "float32", classes: number, scale: number, zeroPoint: number}}
 *   OutputSpec
 */

export const ADD_METADATA =
  "`whatsit models get FILE --labels …` adds them: see docs/getting-models.md";
const MAX_SIDE = 4096; // of the input: more is a damaged shape, or no classifier for this package
const MAX_STD = 1e9;
const MAX_SCALE = 1e9;

/**
 * @param {Layout} layout
 * @param {Metadata} metadata
 * @returns {InputSpec}
 */
export function inputSpec({ subgraphs, inputs }, metadata) {
  if (subgraphs !== 1 || inputs.length !== 1) {
    const message = `it has ${inputs.length} inputs and ${subgraphs} subgraphs`;
    throw unsupported(message, { expected: "one picture in, in one subgraph" });
  }
  const [tensor] = inputs;
  const { shape } = tensor;
  const expected = "[1, height, width, 3]";
  if (shape.length === 4 && shape[1] === 3 && shape[3] !== 3) {
    const hint = "convert it again with channels last";
    throw unsupported(`its input is ${repr(shape)}, channels first (NCHW)`, { expected, hint });
  }
  if (shape.length !== 4 || shape[0] !== 1 || shape[3] !== 3 || !sidesFit(shape)) {
    throw unsupported(`its input is ${repr(shape)}`, { expected });
  }
  const dtype = edgeType(tensor, "input");
  const { mean, std } = dtype === "uint8" ? { mean: [0], std: [1] } : normalization(metadata);
  return { dtype, height: shape[1], width: shape[2], mean, std };
}

/**
 * @param {readonly number[]} shape
 * @returns {boolean}
 */
function sidesFit(shape) {
  return [shape[1], shape[2]].every((side) => side > 0 && side <= MAX_SIDE);
}

/**
 * @param {Metadata} metadata
 * @returns {{mean: number[], std: number[]}}
 */
function normalization({ mean, std }) {
  if (mean.length === 0) {
    const message = "it takes float32 but does not say which mean and std to apply";
    const expected = "NormalizationOptions in its metadata";
    throw withoutMetadata(message, { expected, hint: ADD_METADATA });
  }
  const finite = mean.every((value) => Number.isFinite(value));
  const usable = finite && std.every((value) => value !== 0 && Math.abs(value) < MAX_STD);
  if (![1, 3].includes(mean.length) || mean.length !== std.length || !usable) {
    const message = `its mean ${reprFloats(mean)} and std ${reprFloats(std)} cannot be applied`;
    throw unsupported(message, { expected: "one or three of each, no std of 0" });
  }
  return { mean, std };
}

/**
 * The one mean and std of a bundle; those of a uint8 input are a remark that nobody applies. Throws
 * model-unsupported where there are three.
 * @param {Bundle} bundle
 * @returns {{mean: number, std: number}}
 */
export function normalisation({ name, input, metadata }) {
  const { mean, std } = metadata;
  const alike = new Set(mean).size === 1 && new Set(std).size === 1;
  if (input.dtype === "uint8" && !(alike && Number.isFinite(mean[0]) && std[0] > 0)) {
    return { mean: 0, std: 1 };
  }
  if (alike) return { mean: mean[0], std: std[0] };
  const takes = `it takes the means ${reprFloats(mean)} and stds ${reprFloats(std)}`;
  throw unsupported(`model ${repr(name)}: ${takes}`, {
    expected: "one mean and one std",
    hint: "convert it again with them folded into its first layer",
  });
}

/**
 * @param {Layout} layout
 * @returns {OutputSpec}
 */
export function outputSpec({ outputs }) {
  if (outputs.length !== 1) {
    const expected = "one score for each class";
    throw unsupported(`it has ${outputs.length} outputs`, { expected });
  }
  const [tensor] = outputs;
  const { shape, scale, zeroPoint } = tensor;
  const classes = shape.at(-1) ?? 0;
  const flat = [2, 4].includes(shape.length) && shape.slice(0, -1).every((side) => side === 1);
  if (!flat || classes <= 0) {
    throw unsupported(`its output is ${repr(shape)}`, { expected: "[1, classes]" });
  }
  const dtype = edgeType(tensor, "output");
  if (dtype === "float32") return { dtype, classes, scale: 1, zeroPoint: 0 };
  if (scale === null || !(scale > 0 && scale < MAX_SCALE)) {
    throw unsupported("its uint8 output has no scale", { expected: "a quantised output" });
  }
  return { dtype, classes, scale, zeroPoint };
}

/**
 * @param {TensorInfo} tensor
 * @param {"input" | "output"} edge
 * @returns {"uint8" | "float32"}
 */
function edgeType({ dtype }, edge) {
  if (dtype === "uint8" || dtype === "float32") return dtype;
  throw unsupported(`its ${edge} is ${dtype}`, {
    expected: "uint8 or float32, as MediaPipe and LiteRT.js ask for",
    hint: "quantise it again with uint8 edges; the weights may stay int8",
  });
}
