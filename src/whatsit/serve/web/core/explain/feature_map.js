/**
 * The last feature map of a classifier whose last layer reads the mean of it:
 * whatsit.graph.feature_map.
 *
 * For such a network the logit of a class is the mean over all places of what the layer makes of
 * each place alone: which part of the picture speaks for a class can be read off.
 */

import { WhatsitError } from "../errors.js";
import { repr } from "../repr.js";
import { tensorInfo } from "../taps.js";
import { headOf } from "../teach/head.js";
import { lastLayer } from "../teach/layer.js";
import {
  inputsOf,
  isConstant,
  onlyGraph,
  opCode,
  opName,
  outputsOf,
  parse,
  producers,
  shapeOf,
  unsupported,
} from "../teach/read.js";
import { OPERATORS as Op } from "../teach/schema.js";

/** @typedef {import("../bundle.js").Bundle} Bundle */
/** @typedef {import("../scoring.js").Spec} Spec */
/** @typedef {import("../teach/graph.js").Table} Table */
/** @typedef {import("../teach/layer.js").Layer} Layer */
/**
 * The tensor of this index, (1, height, width, depth); `spec` is what it is made of.
 *
 * logits (C,) = layer.weights (C, depth) @ mean of the map (depth,) + layer.bias (C,), but for the
 * rounding of a quantised mean.
 * @typedef {{tensor: number, height: number, width: number, depth: number, spec: Spec,
 *   layer: Layer}} FeatureMap
 */

const SAME_VALUES = new Set([Op.QUANTIZE, Op.DEQUANTIZE, Op.RESHAPE, Op.SQUEEZE]);
const EXPECTED = "a classifier that ends in a global mean, one layer and softmax";
const HINT = "the built-in models can be explained, and those that were taught from them";

/**
 * The map of a bundle. Throws model-unsupported, with the reason, for a bundle without one.
 * @param {Bundle} bundle
 * @returns {FeatureMap}
 */
export function findFeatureMap(bundle) {
  const model = parse(bundle);
  const what = `model ${repr(bundle.name)}`;
  try {
    const layer = lastLayer(model, bundle.output.classes);
    const tensor = sourceOf(model, headOf(model, bundle.output.classes).embedding);
    const [, height, width, depth] = shapeOf(onlyGraph(model).tensors[tensor]);
    const spec = specOf(bundle, tensor, height * width * depth);
    return { tensor, height, width, depth, spec, layer };
  } catch (error) {
    if (!(error instanceof WhatsitError)) throw error;
    if (error.code !== "model-unsupported") throw error.about(what);
    throw new WhatsitError(error.code, `${what} cannot say why: ${error.message}`, {
      expected: EXPECTED,
      hint: HINT,
    });
  }
}

/**
 * @param {Bundle} bundle
 * @param {number} tensor
 * @param {number} count
 * @returns {Spec}
 */
function specOf({ bytes }, tensor, count) {
  const { dtype, scale, zeroPoint, severalScales } = tensorInfo(bytes, tensor);
  if (dtype === "float32") return { dtype, classes: count, scale: 1, zeroPoint: 0 };
  const single = scale !== null && scale > 0 && scale < Infinity && !severalScales;
  if ((dtype !== "int8" && dtype !== "uint8") || !single) {
    throw unsupported(`its feature map, of type ${dtype}, has no single scale`);
  }
  return { dtype, classes: count, scale, zeroPoint };
}

/**
 * The map that the embedding at `index` is the mean of. Throws model-unsupported without one.
 * @param {Table} model
 * @param {number} index
 * @returns {number}
 */
function sourceOf(model, index) {
  const madeBy = producers(onlyGraph(model));
  for (;;) {
    const operator = madeBy.get(index);
    madeBy.delete(index); // a damaged graph may go in circles
    if (operator === undefined) throw unsupported("its last layer reads the picture itself");
    const code = opCode(model, operator);
    const [source] = inputsOf(operator);
    if (source === undefined) throw unsupported("one of its last operators reads nothing");
    index = source;
    if (SAME_VALUES.has(code)) continue;
    if (isGlobalMean(model, operator, code)) return index;
    const what = `its last layer reads what ${opName(code)} gives`;
    throw unsupported(`${what}, not the mean of a feature map`);
  }
}

/**
 * @param {Table} model
 * @param {Table} operator
 * @param {number} code
 * @returns {boolean}
 */
function isGlobalMean(model, operator, code) {
  const { tensors } = onlyGraph(model);
  const inputs = inputsOf(operator);
  const shape = shapeOf(tensors[inputs[0]]);
  if (shape.length !== 4 || shape[0] !== 1) return false;
  if (code === Op.MEAN) {
    const axes = inputs.length > 1 ? axesOf(model, tensors[inputs[1]]) : [];
    return new Set(axes).size === 2 && axes.every((axis) => axis === 1 || axis === 2);
  }
  const { filterHeight, filterWidth, fusedActivationFunction } = operator.builtinOptions ?? {};
  return (
    code === Op.AVERAGE_POOL_2D &&
    filterHeight === shape[1] &&
    filterWidth === shape[2] &&
    fusedActivationFunction === 0 &&
    outputsOf(operator).every((i) => shapeOf(tensors[i]).slice(1, 3).join() === "1,1")
  );
}

/**
 * The axes of a mean, counted from the first; empty where they are computed.
 * @param {Table} model
 * @param {Table} tensor
 * @returns {number[]}
 */
function axesOf(model, tensor) {
  if (!isConstant(model, tensor)) return [];
  const { buffer } = Uint8Array.from(model.buffers[tensor.buffer].data);
  return buffer.byteLength % 4 ? [] : Array.from(new Int32Array(buffer), (axis) => (axis + 4) % 4);
}
