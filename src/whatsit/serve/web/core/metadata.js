/**
 * The layout of a .tflite file and of its TFLite Metadata, read in place: whatsit._metadata.
 *
 * Field numbers are those of tensorflow/lite/schema/schema.fbs and metadata_schema.fbs.
 */

import { damaged } from "./errors.js";
import { Broken, Node, itemAt, reading } from "./flatbuffer.js";
import { appendedFiles } from "./zip.js";

/**
 * A tensor as the graph declares it. `scale` is null for an unquantised one; `severalScales` says
 * that it has one for each slice, of which `scale` is the first.
 * @typedef {{name: string, shape: number[], dtype: string, scale: number | null,
 *   zeroPoint: number, severalScales: boolean}} TensorInfo
 */
/**
 * What TFLite Metadata says of a classifier. mean and std are empty where it is silent.
 * @typedef {{name: string, description: string, version: string, author: string, license: string,
 *   mean: number[], std: number[], labelsFile: string | null}} Metadata
 */
/**
 * The outside of a model: its edges and what is known about them.
 * @typedef {{subgraphs: number, inputs: TensorInfo[], outputs: TensorInfo[],
 *   metadata: Metadata | null}} Layout
 */

/** @type {Map<number, string>} */
const TENSOR_TYPES = new Map([
  [0, "float32"],
  [1, "float16"],
  [2, "int32"],
  [3, "uint8"],
  [4, "int64"],
  [7, "int16"],
  [9, "int8"],
]);
/** Of a shape: many tensors of a hostile file may share one list of a million. */
const MOST_SIDES = 64;
const MODEL_IDENTIFIER = "TFL3";
const METADATA_NAME = "TFLITE_METADATA";
const METADATA_IDENTIFIER = "M001";
const NORMALIZATION_OPTIONS = 1;
const TENSOR_AXIS_LABELS = 2;

/**
 * Edges and metadata of a model. Throws model-damaged.
 * @param {Uint8Array} bytes
 * @returns {Layout}
 */
export function readLayout(bytes) {
  if (identifier(bytes) !== MODEL_IDENTIFIER) {
    const expected = "a .tflite file";
    throw damaged("the file is no TFLite model", { expected });
  }
  return reading(() => layout(bytes));
}

/**
 * The files appended to a model; empty if there are none. Throws model-damaged.
 * @param {Uint8Array} bytes
 * @returns {Map<string, Uint8Array>}
 */
export function readFiles(bytes) {
  const { files, compressed } = appendedFiles(bytes);
  if (compressed) {
    throw damaged("the files inside the model are compressed", {
      expected: "stored entries, which alone MediaPipe reads",
    });
  }
  return files;
}

/**
 * What a table of the schema's type Tensor declares.
 * @param {Node} node
 * @returns {TensorInfo}
 */
export function tensorOf(node) {
  const quantization = node.node(4);
  const scales = quantization?.numbers(2, "f") ?? [];
  const zeroPoints = quantization?.numbers(3, "q") ?? [];
  const shape = node.numbers(0, "i");
  if (shape.length > MOST_SIDES) throw new Broken(`a tensor of ${shape.length} dimensions`);
  const code = node.number(1, "b");
  return {
    name: node.text(3),
    shape,
    dtype: TENSOR_TYPES.get(code) ?? `type ${code}`,
    scale: scales[0] ?? null,
    zeroPoint: zeroPoints[0] ?? 0,
    severalScales: scales.length > 1,
  };
}

/**
 * The scale and zero point of all values of a tensor; null where there is no one such pair.
 * @param {TensorInfo} tensor
 * @returns {[scale: number, zeroPoint: number] | null}
 */
export function stepsOf({ scale, zeroPoint, severalScales }) {
  if (scale === null || severalScales || !(scale > 0 && scale < Infinity)) return null;
  return [scale, zeroPoint];
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function identifier(bytes) {
  return String.fromCharCode(...bytes.subarray(4, 8));
}

/**
 * @param {Uint8Array} bytes
 * @returns {Layout}
 */
function layout(bytes) {
  const model = Node.root(bytes);
  const subgraphs = model.nodes(2);
  const buffers = model.nodes(4);
  const graph = itemAt(subgraphs, 0);
  const tensors = graph.nodes(0);
  const [inputs, outputs] = [1, 2].map((field) => edge(tensors, graph.numbers(field, "i")));
  let metadata = null;
  for (const entry of model.nodes(6)) {
    if (entry.says(0, METADATA_NAME)) {
      metadata = metadataOf(bufferData(itemAt(buffers, entry.number(1, "I")), bytes));
    }
  }
  return { subgraphs: subgraphs.length, inputs, outputs, metadata };
}

/**
 * The tensors at `indices`; a hostile list may name one of them a million times.
 * @param {readonly Node[]} tensors
 * @param {readonly number[]} indices
 * @returns {TensorInfo[]}
 */
function edge(tensors, indices) {
  /** @type {Map<number, TensorInfo>} */
  const known = new Map();
  return indices.map((index) => {
    const tensor = known.get(index) ?? tensorOf(itemAt(tensors, index));
    known.set(index, tensor);
    return tensor;
  });
}

/**
 * @param {Node} buffer
 * @param {Uint8Array} bytes
 * @returns {Uint8Array}
 */
function bufferData(buffer, bytes) {
  const offset = buffer.number(1, "Q");
  const size = buffer.number(2, "Q");
  return offset > 1 ? bytes.subarray(offset, offset + size) : buffer.bytes(0);
}

/**
 * @param {Uint8Array} bytes
 * @returns {Metadata}
 */
function metadataOf(bytes) {
  if (identifier(bytes) !== METADATA_IDENTIFIER) throw new Broken("no metadata");
  const root = Node.root(bytes);
  const subgraph = root.nodes(3).at(0);
  const source = subgraph?.nodes(2).at(0);
  const target = subgraph?.nodes(3).at(0);
  const [mean, std] = normalization(source);
  return {
    name: root.text(0),
    description: root.text(1),
    version: root.text(2),
    author: root.text(4),
    license: root.text(5),
    mean,
    std,
    labelsFile: labelsFile(target),
  };
}

/**
 * @param {Node | undefined} tensor
 * @returns {[mean: number[], std: number[]]}
 */
function normalization(tensor) {
  for (const unit of tensor?.nodes(4) ?? []) {
    const options = unit.node(1);
    if (unit.number(0, "B") === NORMALIZATION_OPTIONS && options !== null) {
      return [options.numbers(0, "f"), options.numbers(1, "f")];
    }
  }
  return [[], []];
}

/**
 * The file of class names; of several, the one without a locale, which keys the classes.
 * @param {Node | undefined} tensor
 * @returns {string | null}
 */
function labelsFile(tensor) {
  const files = (tensor?.nodes(6) ?? [])
    .filter((file) => file.number(2, "b") === TENSOR_AXIS_LABELS)
    .map((file) => ({ translated: file.text(3) !== "", name: file.text(0) }));
  const plain = files.filter((file) => !file.translated);
  const names = (plain.length > 0 ? plain : files).map((file) => file.name);
  return names.reduce((/** @type {string | null} */ least, name) => {
    return least === null || precedes(name, least) ? name : least;
  }, null);
}

/**
 * Whether `one` stands before `other` by their characters, as Python orders text.
 * @param {string} one
 * @param {string} other
 * @returns {boolean}
 */
function precedes(one, other) {
  const [left, right] = [one, other].map((text) => new TextEncoder().encode(text));
  const differs = left.findIndex((byte, index) => byte !== right[index]);
  if (differs < 0) return left.length < right.length;
  return differs < right.length && left[differs] < right[differs];
}
