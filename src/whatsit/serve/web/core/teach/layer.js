/**
 * The last layer of a classifier in real numbers: `last_layer` of whatsit.graph.head.
 *
 * Its errors do not name the model.
 */

import { WhatsitError } from "../errors.js";
import { headOf, input, lastOperators, stored } from "./head.js";
import { Type, inputsOf, onlyGraph, opCode, quantisationOf, shapeOf, unsupported } from "./read.js";
import { OPERATORS as Op } from "./schema.js";

/** @typedef {import("./tables.js").Table} Table */
/** @typedef {import("./read.js").Quantisation} Quantisation */
/** @typedef {{weights: Float32Array, bias: Float32Array}} Layer weights (C, D) row by row */

const EXPONENT_BIAS = 15; // of a half, whose mantissa has 10 bits

/**
 * The weights and biases that a model itself classifies with. Throws model-unsupported where they
 * alone do not say what it answers: without a softmax after them, say.
 * @param {Table} model
 * @param {number} classes
 * @returns {Layer}
 */
export function lastLayer(model, classes) {
  headOf(model, classes); // for what it refuses
  const operators = lastOperators(model);
  const [operator] = operators.slice(-1);
  checkPlain(model, operators);
  const graph = onlyGraph(model);
  const weights = real(model, graph.tensors[stored(model, graph, input(operator, 1))]);
  if (inputsOf(operator).length < 3) return { weights, bias: new Float32Array(classes) };
  const bias = real(model, graph.tensors[stored(model, graph, input(operator, 2))]);
  if (bias.length !== classes) {
    throw unsupported(`its last layer has ${bias.length} biases for ${classes} classes`);
  }
  return { weights, bias };
}

/**
 * Throws model-unsupported unless the layer's values go into a softmax as they are.
 * @param {Table} model
 * @param {Table[]} operators
 */
function checkPlain(model, operators) {
  const codes = operators.map((operator) => opCode(model, operator));
  const single = codes.filter((code) => code === Op.SOFTMAX).length === 1;
  if (!single || codes.includes(Op.LOGISTIC) || codes.includes(Op.ADD)) {
    throw unsupported("its last layer does not lead straight into a softmax");
  }
  const beta = operators[codes.indexOf(Op.SOFTMAX)].builtinOptions?.beta ?? 1;
  const fused = operators[operators.length - 1].builtinOptions?.fusedActivationFunction ?? 0;
  if (beta !== 1 || fused !== 0) {
    throw unsupported("its softmax or its last layer does more than usual");
  }
}

/**
 * A constant in real numbers.
 * @param {Table} model
 * @param {Table} tensor
 * @returns {Float32Array}
 */
function real(model, tensor) {
  const numbers = numbersOf(model.buffers[tensor.buffer].data, tensor.type);
  if (tensor.type === Type.FLOAT32) return /** @type {Float32Array} */ (numbers);
  if (tensor.type === Type.FLOAT16) return Float32Array.from(numbers, fromHalf);
  const quantisation = quantisationOf(tensor);
  if (quantisation === null) throw unsupported("its last layer is in steps of unknown size");
  return dequantised(numbers, shapeOf(tensor), quantisation);
}

/**
 * The values of a constant, in memory of their own; halves as their bits.
 * @param {Uint8Array} data
 * @param {number} type one that read.js knows
 */
function numbersOf(data, type) {
  const { buffer } = Uint8Array.from(data);
  if (type === Type.FLOAT32) return new Float32Array(buffer);
  if (type === Type.FLOAT16) return new Uint16Array(buffer);
  if (type === Type.INT32) return new Int32Array(buffer);
  return type === Type.INT8 ? new Int8Array(buffer) : new Uint8Array(buffer);
}

/** @param {number} bits */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * 2 ** (1 - EXPONENT_BIAS - 10);
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - EXPONENT_BIAS);
}

/**
 * @param {ArrayLike<number>} numbers
 * @param {number[]} shape
 * @param {Quantisation} quantisation
 * @returns {Float32Array}
 */
function dequantised(numbers, shape, { scales, zeroPoints, axis }) {
  const single = scales.length === 1;
  const slices = single ? 1 : (shape[axis] ?? 0);
  if (slices !== scales.length || zeroPoints.length !== scales.length) {
    const reason = `${scales.length} of them for ${slices} slices`;
    throw new WhatsitError("model-damaged", `the scales of its last layer do not fit: ${reason}`);
  }
  const step = single ? 1 : shape.slice(axis + 1).reduce((product, side) => product * side, 1);
  return Float32Array.from({ length: numbers.length }, (_, i) => {
    const slice = Math.floor(i / step) % slices;
    return (numbers[i] - zeroPoints[slice]) * scales[slice];
  });
}
