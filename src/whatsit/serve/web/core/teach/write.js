/** A graph made anew, tensor by tensor and operator by operator. `whatsit.graph.write`. */

import { packModel } from "./graph.js";
import { Type, onlyGraph, quantisationOf, shapeOf, tensorName } from "./read.js";
import { OPERATORS as Op } from "./schema.js";
import { memberNumber, newTable } from "./tables.js";

/** @typedef {import("./tables.js").Table} Table */
/** @typedef {import("./read.js").Quantisation} Quantisation */
/** @typedef {Float32Array | Uint16Array | Int32Array | Int8Array} Values halves are Uint16Array */

// Operator codes above this are written to the 32-bit field, with this number in the old 8-bit one.
const PLACEHOLDER_CODE = 127;
// The oldest that know these types.
const DEQUANTIZE_VERSIONS = new Map([
  [Type.UINT8, 1],
  [Type.INT8, 2],
  [Type.FLOAT16, 3],
]);

/** @param {Values} values */
function typeOf(values) {
  if (values instanceof Float32Array) return Type.FLOAT32;
  if (values instanceof Uint16Array) return Type.FLOAT16;
  return values instanceof Int32Array ? Type.INT32 : Type.INT8;
}

/**
 * One scale and zero point for all values.
 * @param {number} scale
 * @param {number} zeroPoint
 * @returns {Quantisation}
 */
export function single(scale, zeroPoint) {
  return { scales: Float32Array.of(scale), zeroPoints: [zeroPoint], axis: 0 };
}

/** Goes on with a model that is there already, which it changes. */
export class GraphWriter {
  /** @param {Table} model */
  constructor(model) {
    this.model = model;
    this.graph = onlyGraph(model);
    /** @type {Map<string, number>} */
    this.versions = new Map();
    model.operatorCodes.forEach((/** @type {Table} */ entry, /** @type {number} */ index) => {
      const code = Math.max(entry.builtinCode, entry.deprecatedBuiltinCode);
      if (entry.customCode === null) this.versions.set(`${code}.${entry.version}`, index);
    });
    this.names = new Set(this.graph.tensors.map(tensorName));
  }

  /**
   * Adds a computed tensor; gives its index. A name that is taken gets a number.
   * @param {string} name
   * @param {number[]} shape
   * @param {number} type
   * @param {Quantisation | null} [quantisation]
   * @returns {number}
   */
  tensor(name, shape, type, quantisation = null) {
    const values = { name: this.#unique(name), type, shape: Int32Array.from(shape), buffer: 0 };
    const quantization = quantisation && quantized(quantisation);
    this.graph.tensors.push(newTable("Tensor", { ...values, quantization }));
    return this.graph.tensors.length - 1;
  }

  /**
   * Adds a constant tensor; gives its index.
   * @param {string} name
   * @param {number[]} shape
   * @param {Values} values
   * @param {Quantisation | null} [quantisation]
   * @returns {number}
   */
  constant(name, shape, values, quantisation = null) {
    const index = this.tensor(name, shape, typeOf(values), quantisation);
    this.graph.tensors[index].buffer = this.model.buffers.length;
    const data = new Uint8Array(values.slice().buffer);
    this.model.buffers.push(newTable("Buffer", { data }));
    return index;
  }

  /**
   * Adds an operator.
   * @param {number} code
   * @param {number} version
   * @param {number[]} inputs
   * @param {number[]} outputs
   * @param {string} options a table of the schema, such as Conv2DOptions
   * @param {Table} [values] of the options
   */
  operator(code, version, inputs, outputs, options, values = {}) {
    this.graph.operators.push(
      newTable("Operator", {
        opcodeIndex: this.#codeIndex(code, version),
        inputs: Int32Array.from(inputs),
        outputs: Int32Array.from(outputs),
        builtinOptionsType: memberNumber("BuiltinOptions", options),
        builtinOptions: newTable(options, values),
      }),
    );
  }

  /**
   * Adds what makes a tensor float32, if it is not; gives the index of the result.
   * @param {number} tensor
   * @returns {number}
   */
  dequantised(tensor) {
    const source = this.graph.tensors[tensor];
    if (source.type === Type.FLOAT32) return tensor;
    const real = this.tensor(`${tensorName(source)}/real`, shapeOf(source), Type.FLOAT32);
    const version = DEQUANTIZE_VERSIONS.get(source.type) ?? 1;
    this.operator(Op.DEQUANTIZE, version, [tensor], [real], "DequantizeOptions");
    return real;
  }

  /**
   * Adds what gives a tensor this shape, if it has not; gives the index of the result.
   * @param {number} tensor
   * @param {number[]} shape
   * @returns {number}
   */
  reshaped(tensor, shape) {
    const source = this.graph.tensors[tensor];
    if (shapeOf(source).join() === shape.join()) return tensor;
    const name = `${tensorName(source)}/${shape.join("x")}`;
    const newShape = Int32Array.from(shape);
    const result = this.tensor(name, shape, source.type, quantisationOf(source));
    const sides = this.constant(`${name}/shape`, [shape.length], newShape);
    this.operator(Op.RESHAPE, 1, [tensor, sides], [result], "ReshapeOptions", { newShape });
    return result;
  }

  /**
   * Declares what comes out; gives the flatbuffer.
   * @param {number[]} outputs
   * @returns {Uint8Array}
   */
  finish(outputs) {
    this.graph.outputs = Int32Array.from(outputs);
    return packModel(this.model);
  }

  /**
   * OpenVINO tells tensors apart by their names alone.
   * @param {string} name
   */
  #unique(name) {
    let unique = name;
    for (let number = 2; this.names.has(unique); number++) unique = `${name}/${number}`;
    this.names.add(unique);
    return unique;
  }

  /**
   * @param {number} code
   * @param {number} version
   */
  #codeIndex(code, version) {
    const key = `${code}.${version}`;
    const known = this.versions.get(key);
    if (known !== undefined) return known;
    /** @type {Table[]} */
    const codes = this.model.operatorCodes;
    const deprecatedBuiltinCode = Math.min(code, PLACEHOLDER_CODE);
    codes.push(newTable("OperatorCode", { builtinCode: code, version, deprecatedBuiltinCode }));
    this.versions.set(key, codes.length - 1);
    return codes.length - 1;
  }
}

/** @param {Quantisation} quantisation */
function quantized({ scales, zeroPoints, axis }) {
  return newTable("QuantizationParameters", {
    scale: scales,
    zeroPoint: BigInt64Array.from(zeroPoints, BigInt),
    quantizedDimension: axis,
  });
}
