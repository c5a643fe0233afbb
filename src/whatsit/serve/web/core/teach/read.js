/**
 * A graph as unpacked tables: operators, tensors, constants. `whatsit.graph.read`.
 *
 * Of a damaged file unpacking makes anything, so `parse` checks every number that is later used as
 * an index.
 */

import { WhatsitError } from "../errors.js";
import { repr } from "../repr.js";
import { readModel } from "./graph.js";
import { OPERATORS as Op } from "./schema.js";

/** @typedef {import("./tables.js").Table} Table */
/** @typedef {{name: string, bytes: Uint8Array}} Source a bundle, or as much of one */
/**
 * Affine quantisation, real = scale * (stored - zeroPoint); one pair, or one per slice of `axis`.
 * @typedef {{scales: Float32Array, zeroPoints: number[], axis: number}} Quantisation
 */

/** The numbers of the types that constants may have. */
export const Type = { FLOAT32: 0, FLOAT16: 1, INT32: 2, UINT8: 3, INT8: 9 };

const TYPE_NAMES = new Map(Object.entries(Type).map(([name, type]) => [type, name.toLowerCase()]));
const TYPE_BYTES = new Map([
  [Type.FLOAT32, 4],
  [Type.FLOAT16, 2],
  [Type.INT32, 4],
  [Type.UINT8, 1],
  [Type.INT8, 1],
]);

/**
 * @param {string} message
 * @param {string} [expected]
 */
export function unsupported(message, expected = "") {
  return new WhatsitError("model-unsupported", message, { expected });
}

/**
 * The model of a bundle, unpacked. Throws model-damaged, and model-unsupported for several
 * subgraphs.
 * @param {Source} bundle
 * @returns {Table}
 */
export function parse({ name, bytes }) {
  try {
    const model = readModel(bytes);
    checkIndices(model, onlyGraph(model));
    return model;
  } catch (error) {
    if (error instanceof WhatsitError) throw error.about(`model ${repr(name)}`);
    const reason = error instanceof Error ? error.message : String(error);
    const message = `model ${repr(name)}: its graph cannot be read: ${reason}`;
    throw new WhatsitError("model-damaged", message, { hint: "the file is damaged or cut short" });
  }
}

/**
 * Throws RangeError for an index that leads nowhere, TypeError where a part is missing.
 * @param {Table} model
 * @param {Table} graph
 */
function checkIndices(model, graph) {
  inside([...graph.inputs, ...graph.outputs], graph.tensors.length, "tensor");
  const buffers = graph.tensors.map((/** @type {Table} */ tensor) => tensor.buffer);
  inside(buffers, model.buffers.length, "buffer");
  for (const operator of graph.operators) {
    inside([operator.opcodeIndex], model.operatorCodes.length, "operator code");
    inside(operator.outputs, graph.tensors.length, "tensor");
    inside(inputsOf(operator), graph.tensors.length, "tensor");
    inside(operator.intermediates ?? [], graph.tensors.length, "tensor");
  }
}

/**
 * @param {Iterable<number>} indices
 * @param {number} count
 * @param {string} what
 */
function inside(indices, count, what) {
  for (const index of indices) {
    if (!(index >= 0 && index < count)) throw new RangeError(`no ${what} ${index}`);
  }
}

/**
 * The model's one subgraph. Throws model-unsupported where there are several.
 * @param {Table} model
 * @returns {Table}
 */
export function onlyGraph(model) {
  if (model.subgraphs.length !== 1) {
    throw unsupported(`it has ${model.subgraphs.length} subgraphs`, "one subgraph");
  }
  return model.subgraphs[0];
}

/**
 * @param {Table} tensor
 * @returns {string}
 */
export function tensorName(tensor) {
  return tensor.name ?? "";
}

/**
 * A tensor's shape; a scalar has none.
 * @param {Table} tensor
 * @returns {number[]}
 */
export function shapeOf(tensor) {
  return [...(tensor.shape ?? [])];
}

/**
 * @param {number} type
 * @returns {string}
 */
export function typeName(type) {
  return TYPE_NAMES.get(type) ?? String(type);
}

/**
 * The quantisation of a tensor, or null for one without.
 * @param {Table} tensor
 * @returns {Quantisation | null}
 */
export function quantisationOf({ quantization }) {
  const scales = quantization?.scale;
  if (!scales?.length) return null;
  const points = quantization.zeroPoint;
  return {
    scales: Float32Array.from(scales),
    zeroPoints: points?.length ? Array.from(points, Number) : new Array(scales.length).fill(0),
    axis: quantization.quantizedDimension,
  };
}

/**
 * The number of an operator in the schema.
 * @param {Table} model
 * @param {Table} operator
 * @returns {number}
 */
export function opCode(model, operator) {
  const code = model.operatorCodes[operator.opcodeIndex];
  return Math.max(code.builtinCode, code.deprecatedBuiltinCode);
}

/**
 * The name of an operator, such as CONV_2D, or its number if it has none.
 * @param {number} code
 */
export function opName(code) {
  return Object.keys(Op).find((name) => Op[name] === code) ?? `operator ${code}`;
}

/**
 * Whether a tensor is a constant. Throws as `constant` of the Python for what cannot be one.
 * @param {Table} model
 * @param {Table} tensor
 * @returns {boolean}
 */
export function isConstant(model, tensor) {
  const data = model.buffers[tensor.buffer].data;
  if (!data?.length) return false;
  const size = TYPE_BYTES.get(tensor.type);
  const name = tensorName(tensor);
  if (size === undefined) throw unsupported(`its constant ${repr(name)} is of type ${tensor.type}`);
  const shape = shapeOf(tensor);
  if (data.length !== shape.reduce((product, side) => product * side, size)) {
    throw new WhatsitError(
      "model-damaged",
      `its constant ${repr(name)} has ${data.length} bytes for the shape [${shape.join(", ")}]`,
      { hint: "the file is damaged or cut short" },
    );
  }
  return true;
}

/**
 * The indices of the tensors an operator reads, without the -1 of an absent one.
 * @param {Table} operator
 * @returns {number[]}
 */
export function inputsOf(operator) {
  return [...(operator.inputs ?? [])].filter((index) => index !== -1);
}

/**
 * @param {Table} operator
 * @returns {number[]}
 */
export function outputsOf(operator) {
  return [...(operator.outputs ?? [])];
}

/**
 * The tensors an operator keeps for itself.
 * @param {Table} operator
 * @returns {number[]}
 */
export function intermediatesOf(operator) {
  return [...(operator.intermediates ?? [])];
}

/**
 * The indices of the tensors an operator reads that are not constants.
 * @param {Table} model
 * @param {Table} operator
 */
export function computedInputs(model, operator) {
  const { tensors } = onlyGraph(model);
  return inputsOf(operator).filter((i) => !model.buffers[tensors[i].buffer].data?.length);
}

/**
 * The operator that writes each computed tensor.
 * @param {Table} graph
 * @returns {Map<number, Table>}
 */
export function producers(graph) {
  /** @type {Map<number, Table>} */
  const found = new Map();
  for (const operator of graph.operators) {
    for (const index of outputsOf(operator)) found.set(index, operator);
  }
  return found;
}
