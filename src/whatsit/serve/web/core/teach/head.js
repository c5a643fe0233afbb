/**
 * Where a classifier ends: its last layer, and the embedding, the vector that this layer reads.
 * `whatsit.graph.head`.
 *
 * What may follow the layer is a softmax or sigmoid, changes of type and of shape. The layer itself
 * is FULLY_CONNECTED or, as in the first MobileNets, a CONV_2D of 1 x 1 on a map of 1 x 1.
 */

import { WhatsitError } from "../errors.js";
import { repr } from "../repr.js";
import { prune } from "./prune.js";
import {
  Type,
  computedInputs,
  inputsOf,
  isConstant,
  onlyGraph,
  opCode,
  opName,
  parse,
  producers,
  quantisationOf,
  shapeOf,
  typeName,
  unsupported,
} from "./read.js";
import { OPERATORS as Op } from "./schema.js";

/** @typedef {import("./tables.js").Table} Table */
/** @typedef {import("./read.js").Source} Source */
/** @typedef {Source & {output: {classes: number}}} Ended a bundle, or as much of one */
/**
 * What can be replaced. `embedding` is the index of a tensor of `width` values; `dtype` is what the
 * embedding is made of, `storage` how the weights of a new layer are kept.
 * @typedef {{embedding: number, width: number, dtype: "float32"|"int8"|"uint8",
 *   storage: "float32"|"float16"|"int8"}} Head
 */

const SHAPES = new Set([Op.RESHAPE, Op.SQUEEZE]);
const AFTER = new Set([...SHAPES, Op.SOFTMAX, Op.LOGISTIC, Op.DEQUANTIZE, Op.QUANTIZE]);
const SMALL = new Set([Type.FLOAT16, Type.INT8, Type.UINT8]);
const EXPECTED =
  "a classifier that ends in a fully connected layer, or a 1 x 1 convolution, and softmax";

/**
 * The head of a bundle. Throws model-unsupported, with the reason, if none can be replaced.
 * @param {Ended} bundle
 * @returns {Head}
 */
export function findHead(bundle) {
  return locate(bundle, parse(bundle));
}

/**
 * The head of `model`, which is the bundle's, parsed.
 * @param {Ended} bundle
 * @param {Table} model
 * @returns {Head}
 */
export function locate(bundle, model) {
  return named(bundle, () => headOf(model, bundle.output.classes));
}

/**
 * Drops from `model` all that follows the embedding; gives the embedding's new index.
 * @param {Source} bundle
 * @param {Table} model
 * @param {Head} head
 * @returns {number}
 */
export function cut(bundle, model, head) {
  return named(bundle, () => prune(model, head.embedding));
}

/**
 * Puts the model's name before the message of what is wrong with its head.
 * @template T
 * @param {Source} bundle
 * @param {() => T} work
 * @returns {T}
 */
function named({ name }, work) {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof WhatsitError)) throw error;
    if (error.code !== "model-unsupported") throw error.about(`model ${repr(name)}`);
    const what = `model ${repr(name)} has no last layer that can be replaced`;
    throw new WhatsitError(error.code, `${what}: ${error.message}`, {
      expected: EXPECTED,
      hint: "`whatsit models` lists models that can be taught",
    });
  }
}

/**
 * The graph's end, backwards: from the operator that gives the output to the layer.
 * @param {Table} model
 * @returns {Table[]}
 */
export function lastOperators(model) {
  const graph = onlyGraph(model);
  const madeBy = producers(graph);
  const operators = [];
  let index = graph.outputs[0];
  for (;;) {
    const operator = madeBy.get(index);
    madeBy.delete(index); // a damaged graph may go in circles
    if (operator === undefined) throw unsupported("it ends in the picture itself");
    operators.push(operator);
    const code = opCode(model, operator);
    if (code === Op.FULLY_CONNECTED || code === Op.CONV_2D) return operators;
    // The shape that a RESHAPE gives may itself be computed.
    const sources = SHAPES.has(code) ? [input(operator, 0)] : computedInputs(model, operator);
    // Some converters add the bias in an operator of its own.
    if (sources.length !== 1 || !(AFTER.has(code) || code === Op.ADD)) {
      throw unsupported(`it ends in ${opName(code)}`);
    }
    index = sources[0];
  }
}

/**
 * As `locate`, but its errors do not name the model.
 * @param {Table} model
 * @param {number} classes
 * @returns {Head}
 */
export function headOf(model, classes) {
  const graph = onlyGraph(model);
  const [operator] = lastOperators(model).slice(-1);
  const shape = shapeOf(graph.tensors[stored(model, graph, input(operator, 1))]);
  const middle = shape.slice(1, -1);
  if (![2, 4].includes(shape.length) || middle.some((side) => side !== 1)) {
    throw unsupported(`its last layer is a convolution of [${middle.join(", ")}]`);
  }
  if (shape[0] !== classes) {
    throw unsupported(`its last layer gives ${shape[0]} values for ${classes} classes`);
  }
  const width = shape[shape.length - 1];
  const embedding = embeddingOf(model, graph, input(operator, 0), width);
  const dtype = numberOf(graph.tensors[embedding]);
  if (dtype === "int8") return { embedding, width, dtype, storage: "int8" };
  // Of a layer that was too small to be stored in halves, the rest of the weights tells.
  const halves = graph.tensors.some(
    (/** @type {Table} */ tensor) => SMALL.has(tensor.type) && isConstant(model, tensor),
  );
  return { embedding, width, dtype, storage: halves ? "float16" : "float32" };
}

/**
 * @param {Table} operator
 * @param {number} place
 */
export function input(operator, place) {
  const inputs = inputsOf(operator);
  if (inputs.length <= place) throw unsupported("one of its last operators reads nothing");
  return inputs[place];
}

/**
 * The constant behind a tensor: the tensor itself, or what a DEQUANTIZE makes it of.
 * @param {Table} model
 * @param {Table} graph
 * @param {number} index
 */
export function stored(model, graph, index) {
  const operator = producers(graph).get(index);
  if (operator !== undefined && opCode(model, operator) === Op.DEQUANTIZE) {
    index = input(operator, 0);
  }
  if (!isConstant(model, graph.tensors[index])) {
    throw unsupported("the weights of its last layer are computed");
  }
  return index;
}

/**
 * The tensor that a layer reads, or the one it was made of by a mere change of shape.
 * @param {Table} model
 * @param {Table} graph
 * @param {number} index
 * @param {number} width
 */
function embeddingOf(model, graph, index, width) {
  const madeBy = producers(graph);
  if (!isVector(graph.tensors[index], width)) {
    const shape = shapeOf(graph.tensors[index]).join(", ");
    throw unsupported(`its last layer reads [${shape}], not one vector of ${width}`);
  }
  const seen = new Set([index]);
  for (;;) {
    const operator = madeBy.get(index);
    if (operator === undefined || !SHAPES.has(opCode(model, operator))) return index;
    const source = input(operator, 0);
    if (seen.has(source) || !isVector(graph.tensors[source], width)) return index;
    seen.add(source);
    index = source;
  }
}

/**
 * @param {Table} tensor
 * @param {number} width
 */
function isVector(tensor, width) {
  const shape = shapeOf(tensor);
  const last = shape.pop();
  return [1, 2, 3].includes(shape.length) && last === width && shape.every((side) => side === 1);
}

/**
 * @param {Table} tensor
 * @returns {"float32" | "int8" | "uint8"}
 */
function numberOf(tensor) {
  const name = typeName(tensor.type);
  if (name !== "float32" && name !== "int8" && name !== "uint8") {
    throw unsupported(`its embedding is of type ${name}`);
  }
  const scales = quantisationOf(tensor)?.scales ?? [];
  const single = scales.length === 1 && scales[0] > 0 && scales[0] < Infinity;
  if (name !== "float32" && !single) throw unsupported("its embedding has no single scale");
  return name;
}
