/**
 * Puts a new last layer in the place of a bundle's own: the same backbone, other classes.
 * `whatsit.graph.graft`.
 */

import { normalisation } from "../edges.js";
import { readFiles } from "../metadata.js";
import { ruleText } from "../rule.js";
import { sha256 } from "../sha256.js";
import { cut, locate } from "./head.js";
import { int8Layer } from "./int8_layer.js";
import { checkNumbers, checkedNames, seen } from "./layer_checks.js";
import { halves } from "./numbers.js";
import { packBundle } from "./pack_metadata.js";
import { Type, parse, quantisationOf, shapeOf } from "./read.js";
import { OPERATORS as Op } from "./schema.js";
import { GraphWriter } from "./write.js";

/** @typedef {import("../bundle.js").Bundle} Bundle */
/** @typedef {import("./tables.js").Table} Table */
/** @typedef {import("./head.js").Head} Head */
/**
 * weights (C, D) and bias (C,); `logits` (N, C), what they give for pictures like those to come,
 * choose the steps of an int8 layer's output.
 * @typedef {{weights: Float32Array, bias: Float32Array, logits: Float32Array | null}} Layer
 */
/**
 * `facts` are added to the record.
 * @typedef {{name: string, labels: string[], facts?: Record<string, unknown>,
 *   description?: string}} About
 */

// Fewer values are not worth a DEQUANTIZE.
const LEAST_HALVES = 4096;
const LARGEST_HALF = 65504;
const INHERITED = ["licence", "origin"]; // of the parent's record; its accuracy is its own
const RECORD_FILE = "whatsit.json";
const LABELS_FILE = "labels.txt";
const LICENSE_FILE = "LICENSE.txt";
const RECORD_FORMAT = 1;
const VALID = 1; // a padding of the schema

const ENCODER = new TextEncoder();

/**
 * The file of `bundle` with another last layer and other classes.
 *
 * The layer is stored as the old one was. The output is float32 probabilities [1, C].
 * Preprocessing, licence and origin are the parent's, and the parent is written down in the record.
 * The same arguments give the same bytes. Throws wrong-usage for numbers or names that do not fit,
 * model-unsupported if there is no layer to replace.
 * @param {Bundle} bundle
 * @param {Layer} layer
 * @param {About} about
 * @returns {Promise<Uint8Array>}
 */
export async function graft(bundle, layer, { name, labels, facts = {}, description = "" }) {
  const classes = checkedNames(labels);
  const model = parse(bundle);
  const head = locate(bundle, model);
  checkNumbers(layer, classes.length, head.width);
  const { mean, std } = normalisation(bundle);
  const embedding = cut(bundle, model, head);
  const writer = new GraphWriter(model);
  const add = head.dtype === "int8" ? int8Head : floatHead;
  const logits = add(writer, embedding, layer, head);
  writer.graph.outputs = Int32Array.of(softmax(writer, logits));
  /** @type {Map<string, Uint8Array>} */
  const files = new Map();
  files.set(LABELS_FILE, ENCODER.encode(`${classes.join("\n")}\n`));
  files.set(RECORD_FILE, ENCODER.encode(JSON.stringify(await record(bundle, facts, classes))));
  const licence = readFiles(bundle.bytes).get(LICENSE_FILE);
  if (licence?.length) files.set(LICENSE_FILE, licence);
  const { author, license } = bundle.metadata;
  const about = { name, description, author, license, mean, std, labelsFile: LABELS_FILE };
  return packBundle(model, about, files);
}

/**
 * Adds an int8 layer, and what makes its logits float32; gives their index.
 *
 * A convolution of 1 x 1 and not FULLY_CONNECTED: the same sum, but old runtimes know it with a
 * scale for each class.
 * @param {GraphWriter} writer
 * @param {number} embedding
 * @param {Layer} layer
 * @returns {number}
 */
function int8Head(writer, embedding, { weights, bias, logits }) {
  const [count, width] = [bias.length, weights.length / bias.length];
  const source = quantisationOf(writer.graph.tensors[embedding]);
  if (source === null) throw new Error("locate would have refused it");
  const made = int8Layer(weights, bias, source, seen(logits, count));
  const zeroPoints = new Array(count).fill(0);
  const perClass = { scales: made.scales, zeroPoints, axis: 0 };
  const kernel = writer.constant("logits/weights", [count, 1, 1, width], made.weights, perClass);
  const scales = made.scales.map((scale) => Math.fround(scale * source.scales[0]));
  const biases = writer.constant("logits/bias", [count], made.bias, { ...perClass, scales });
  const out = writer.tensor("logits", [1, 1, 1, count], Type.INT8, made.output);
  const picture = writer.reshaped(embedding, [1, 1, 1, width]);
  writer.operator(Op.CONV_2D, 3, [picture, kernel, biases], [out], "Conv2DOptions", {
    padding: VALID,
    strideW: 1,
    strideH: 1,
  });
  return writer.dequantised(writer.reshaped(out, [1, count]));
}

/**
 * Adds a float layer; gives the index of its logits.
 * @param {GraphWriter} writer
 * @param {number} embedding
 * @param {Layer} layer
 * @param {Head} head
 * @returns {number}
 */
function floatHead(writer, embedding, { weights, bias }, head) {
  const shape = [bias.length, head.width];
  const vector = writer.reshaped(writer.dequantised(embedding), [1, head.width]);
  const small = head.storage === "float16" && weights.length >= LEAST_HALVES;
  // A weight that float16 cannot hold would turn into infinity.
  const kernel =
    small && weights.every((weight) => Math.abs(weight) <= LARGEST_HALF)
      ? writer.dequantised(writer.constant("logits/weights", shape, halves(weights)))
      : writer.constant("logits/weights", shape, weights);
  const biases = writer.constant("logits/bias", [bias.length], bias);
  const out = writer.tensor("logits", [1, bias.length], Type.FLOAT32);
  const inputs = [vector, kernel, biases];
  writer.operator(Op.FULLY_CONNECTED, 1, inputs, [out], "FullyConnectedOptions");
  return out;
}

/**
 * @param {GraphWriter} writer
 * @param {number} logits
 */
function softmax(writer, logits) {
  const shape = shapeOf(writer.graph.tensors[logits]);
  const out = writer.tensor("probabilities", shape, Type.FLOAT32);
  writer.operator(Op.SOFTMAX, 1, [logits], [out], "SoftmaxOptions", { beta: 1 });
  return out;
}

/**
 * @param {Bundle} bundle
 * @param {Record<string, unknown>} facts
 * @param {string[]} names
 */
async function record(bundle, facts, names) {
  /** @type {Record<string, any>} */
  const parent = bundle.record;
  const inherited = INHERITED.filter((key) => key in parent).map((key) => [key, parent[key]]);
  const before = Array.isArray(parent.parents) ? parent.parents : [];
  return {
    format: RECORD_FORMAT,
    preprocess: ruleText(bundle.preprocess),
    ...Object.fromEntries(inherited),
    ...facts,
    parents: [...before, { name: bundle.name, sha256: await sha256(bundle.bytes) }],
    classes: { names },
  };
}
