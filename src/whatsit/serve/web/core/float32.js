/**
 * Weights that a model keeps as float16, as the float32 that they stand for.
 *
 * LiteRT.js converts them anew for every picture, and runs a network four times as fast if they are
 * float32 from the start. Its answers are the same, since every float16 is a float32 too.
 */

import { WhatsitError } from "./errors.js";
import { packModel } from "./teach/graph.js";
import { Type, inputsOf, isConstant, onlyGraph, opCode, outputsOf, parse } from "./teach/read.js";
import { OPERATORS as Op } from "./teach/schema.js";
import { newTable } from "./teach/tables.js";

/** @typedef {import("./teach/read.js").Source} Source */
/** @typedef {import("./teach/tables.js").Table} Table */

const HALVES = 1 << 16;

/**
 * The model, to be run only, with float32 weights; as it is if its graph cannot be changed. Tensors
 * keep their indices. Throws model-damaged.
 * @param {Source} source
 * @returns {Uint8Array}
 */
export function withFloat32(source) {
  try {
    const model = parse(source);
    unfold(model, onlyGraph(model));
    return packModel(model);
  } catch (error) {
    if (error instanceof WhatsitError && error.code === "model-unsupported") return source.bytes;
    throw error;
  }
}

/**
 * @param {Table} model
 * @param {Table} graph
 */
function unfold(model, graph) {
  const all = realNumbers();
  /** @type {Set<number>} */
  const halves = new Set();
  graph.operators = graph.operators.filter((/** @type {Table} */ operator) => {
    if (opCode(model, operator) !== Op.DEQUANTIZE) return true;
    const [half] = inputsOf(operator);
    const stored = graph.tensors[half];
    if (stored.type !== Type.FLOAT16 || !isConstant(model, stored)) return true;
    const [real] = outputsOf(operator);
    const { data } = model.buffers[stored.buffer];
    graph.tensors[real].buffer = model.buffers.length;
    model.buffers.push(newTable("Buffer", { data: float32(data, all) }));
    halves.add(half);
    return false;
  });
  graph.operators.flatMap(inputsOf).forEach((/** @type {number} */ index) => halves.delete(index));
  for (const index of halves) graph.tensors[index].buffer = 0; // "no data"
  const used = new Set(graph.tensors.map((/** @type {Table} */ tensor) => tensor.buffer));
  for (const [place, buffer] of model.buffers.entries()) if (!used.has(place)) buffer.data = null;
}

/**
 * @param {Uint8Array} data of float16 numbers
 * @param {Float32Array} all
 * @returns {Uint8Array} of float32 numbers
 */
function float32(data, all) {
  const halves = new Uint16Array(data.slice().buffer);
  return new Uint8Array(Float32Array.from(halves, (half) => all[half]).buffer);
}

/** What each float16 stands for, by its bits. @returns {Float32Array} */
function realNumbers() {
  return Float32Array.from({ length: HALVES }, (_, bits) => {
    const sign = bits >> 15 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
}
