/** TFLite Metadata written anew, as `_pack_metadata` and `write` of whatsit._metadata do. */

import { storedZip } from "../zip.js";
import { Builder } from "./builder.js";
import { packModel } from "./graph.js";
import { newTable } from "./tables.js";

/** @typedef {import("./tables.js").Table} Table */
/**
 * @typedef {{name: string, description: string, author: string, license: string, mean: number,
 *   std: number, labelsFile: string}} Facts
 */

const METADATA_NAME = "TFLITE_METADATA";
const IDENTIFIER = "M001";
const LEAST_PARSER = "1.0.0";
// enum values of metadata_schema.fbs
const RGB = 1;
const IMAGE_PROPERTIES = 2;
const NORMALIZATION_OPTIONS = 1;
const TENSOR_AXIS_LABELS = 2;

/**
 * The file of a model, with metadata and other files in place of any that it had.
 * @param {Table} model
 * @param {Facts} facts
 * @param {Map<string, Uint8Array>} files
 * @returns {Uint8Array}
 */
export function packBundle(model, facts, files) {
  const buffer = newTable("Buffer", { data: packMetadata(facts, [...files.keys()]) });
  const entry = newTable("Metadata", { name: METADATA_NAME, buffer: model.buffers.length });
  const graph = packModel({ ...model, metadata: [entry], buffers: [...model.buffers, buffer] });
  const archive = storedZip(files, graph.length);
  const bytes = new Uint8Array(graph.length + archive.length);
  bytes.set(graph);
  bytes.set(archive, graph.length);
  return bytes;
}

/**
 * @param {Facts} facts
 * @param {string[]} files
 * @returns {Uint8Array}
 */
function packMetadata(facts, files) {
  const builder = new Builder();
  const source = packInput(builder, facts);
  const target = packOutput(builder, facts.labelsFile);
  const title = builder.string("image classifier");
  const inputs = builder.offsets([source]);
  const outputs = builder.offsets([target]);
  const subgraph = packTable(builder, 9, { 0: title, 2: inputs, 3: outputs });
  // The labels belong to the output; every other file belongs to the model as a whole.
  const others = files
    .filter((name) => name !== facts.labelsFile)
    .map((name) => packFile(builder, name, 0));
  const fields = {
    0: builder.string(facts.name),
    1: builder.string(facts.description),
    2: builder.string(""),
    3: builder.offsets([subgraph]),
    4: builder.string(facts.author),
    5: builder.string(facts.license),
    6: builder.offsets(others),
    7: builder.string(LEAST_PARSER),
  };
  return builder.finish(packTable(builder, 8, fields), IDENTIFIER);
}

/**
 * @param {Builder} builder
 * @param {Facts} facts
 */
function packInput(builder, { mean, std }) {
  const properties = packTable(builder, 2, {}, { 0: RGB });
  const content = packTable(builder, 2, { 1: properties }, { 0: IMAGE_PROPERTIES });
  const options = packTable(builder, 2, { 0: floats(builder, mean), 1: floats(builder, std) });
  const unit = packTable(builder, 2, { 1: options }, { 0: NORMALIZATION_OPTIONS });
  const stats = packTable(builder, 2, { 0: floats(builder, 255), 1: floats(builder, 0) });
  return packTable(builder, 7, {
    0: builder.string("image"),
    1: builder.string("RGB picture, upright"),
    3: content,
    4: builder.offsets([unit]),
    5: stats,
  });
}

/**
 * @param {Builder} builder
 * @param {string} labelsFile
 */
function packOutput(builder, labelsFile) {
  const labels = packFile(builder, labelsFile, TENSOR_AXIS_LABELS);
  const stats = packTable(builder, 2, { 0: floats(builder, 1), 1: floats(builder, 0) });
  return packTable(builder, 7, {
    0: builder.string("probability"),
    1: builder.string("one probability a class"),
    5: stats,
    6: builder.offsets([labels]),
  });
}

/**
 * @param {Builder} builder
 * @param {string} name
 * @param {number} kind
 */
function packFile(builder, name, kind) {
  return packTable(builder, 5, { 0: builder.string(name) }, { 2: kind });
}

/**
 * @param {Builder} builder
 * @param {number} value
 */
function floats(builder, value) {
  return builder.numbers(Float32Array.of(value));
}

/**
 * @param {Builder} builder
 * @param {number} fields
 * @param {Record<number, number>} offsets of strings, lists and tables
 * @param {Record<number, number>} [small] one-byte numbers
 */
function packTable(builder, fields, offsets, small = {}) {
  builder.startTable(fields);
  for (const [field, offset] of Object.entries(offsets)) builder.reference(Number(field), offset);
  for (const [field, value] of Object.entries(small)) builder.number(Number(field), "i8", value);
  return builder.endTable();
}
