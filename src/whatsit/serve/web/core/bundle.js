/**
 * A bundle: one .tflite with its labels, its preprocessing and its history inside. What cannot be
 * run is refused here as whatsit.bundle does: the same checks, in their order, in the same words.
 */

import { ADD_METADATA, inputSpec, outputSpec } from "./edges.js";
import { damaged, unsupported, WhatsitError, withoutMetadata } from "./errors.js";
import { Labels } from "./labels.js";
import { asText } from "./labels_json.js";
import { readFiles, readLayout } from "./metadata.js";
import { readRecord, RECORD_FILE } from "./record.js";
import { repr } from "./repr.js";
import { parseRule } from "./rule.js";

/** @typedef {import("./metadata.js").Metadata} Metadata */
/** @typedef {import("./rule.js").Rule} Rule */
/** @typedef {import("./edges.js").InputSpec} InputSpec */
/** @typedef {import("./edges.js").OutputSpec} OutputSpec */
/**
 * A model with all that is needed to run it. `record` is our whatsit.json, empty if foreign.
 * @typedef {{name: string, bytes: Uint8Array, input: InputSpec, output: OutputSpec,
 *   labels: Labels, preprocess: Rule, metadata: Metadata, record: Record<string, any>,
 *   notes: string[]}} Bundle
 */

const MAX_BYTES = 2 ** 30;
const MAX_LABELS = 1 << 20; // unless the graph has as many scores; ImageNet-21k has 21,841
const LINE_END = 10;
const FOREIGN_RULE = "stretch";
const FOREIGN_NOTE =
  "the model says nothing about cropping: the whole picture is stretched to its input, " +
  "bilinear, as MediaPipe does";

/**
 * The bundle in `bytes`.
 *
 * Throws model-damaged, model-unsupported or model-without-metadata, with `name` in the message.
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Bundle}
 */
export function readBundle(bytes, name) {
  if (bytes.length > MAX_BYTES) {
    const message = `the model ${repr(name)} is no file, or one of more than 1 GiB`;
    throw new WhatsitError("model-damaged", message, { expected: "a .tflite file" });
  }
  try {
    return parsed(bytes, name);
  } catch (error) {
    throw error instanceof WhatsitError ? error.about(`model ${repr(name)}`) : error;
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {string} name
 * @returns {Bundle}
 */
function parsed(bytes, name) {
  if (bytes.length === 0) throw damaged("the file is empty", { expected: "a .tflite file" });
  const layout = readLayout(bytes);
  const { metadata } = layout;
  if (metadata === null) {
    const message = "it has no TFLite Metadata, so its labels and preprocessing are unknown";
    throw withoutMetadata(message, { hint: ADD_METADATA });
  }
  const files = readFiles(bytes);
  const input = inputSpec(layout, metadata);
  const output = outputSpec(layout);
  const record = readRecord(files.get(RECORD_FILE));
  const labels = readLabels(record, metadata, files, output.classes);
  checkCount(output.classes, labels.names.length);
  const ownRule = Object.hasOwn(record, "preprocess") ? record.preprocess : null;
  return {
    name,
    bytes,
    input,
    output,
    labels,
    preprocess: ruleOf(ownRule ?? FOREIGN_RULE),
    metadata,
    record,
    notes: ownRule === null ? [FOREIGN_NOTE] : [],
  };
}

/**
 * The classes of our record if there is one, else those of the labels file alone. Other programs
 * read the labels file, so the two must not differ.
 * @param {Record<string, any>} record
 * @param {Metadata} metadata
 * @param {Map<string, Uint8Array>} files
 * @param {number} classes
 * @returns {Labels}
 */
function readLabels(record, metadata, files, classes) {
  const plain = labelsOf(metadata, files, classes);
  if (!Object.hasOwn(record, "classes")) return plain;
  const json = record.classes;
  if (json === null || typeof json !== "object" || Array.isArray(json)) {
    throw unsupported(`its ${RECORD_FILE} lists no classes`, { expected: "an object" });
  }
  const labels = Labels.fromJSON(json);
  const alike = labels.names.length === plain.names.length;
  if (!alike || labels.names.some((name, index) => name !== plain.names[index])) {
    const places = `${repr(metadata.labelsFile)} and its ${RECORD_FILE}`;
    throw unsupported(`its ${places} name different classes`, {
      expected: "the same names in the same order",
      hint: "make the bundle again with whatsit.Bundle.create(…)",
    });
  }
  return labels;
}

/**
 * @param {Metadata} metadata
 * @param {Map<string, Uint8Array>} files
 * @param {number} classes
 * @returns {Labels}
 */
function labelsOf({ labelsFile }, files, classes) {
  if (labelsFile === null) {
    const expected = "a file of class names";
    const message = "its metadata name no labels";
    throw withoutMetadata(message, { expected });
  }
  const content = files.get(labelsFile);
  if (content === undefined) {
    const hint = "the file is damaged or cut short";
    throw damaged(`its labels ${repr(labelsFile)} are not in the file`, { hint });
  }
  const text = decoded(content);
  if (text === null) throw damaged(`its labels are no UTF-8: see line ${badLine(content)}`);
  const lines = lineCount(content);
  // A file of line ends alone would become millions of names, only to be refused.
  if (lines > MAX_LABELS) checkCount(classes, lines);
  return Labels.fromLines(text.replaceAll("\r\n", "\n"));
}

/**
 * How many classes a labels file names.
 * @param {Uint8Array} content
 * @returns {number}
 */
function lineCount(content) {
  const ends = content.reduce((sum, byte) => sum + (byte === LINE_END ? 1 : 0), 0);
  return content.at(-1) === LINE_END ? ends : ends + 1;
}

/**
 * The text, without a byte order mark; null if it is no UTF-8.
 * @param {Uint8Array} content
 * @returns {string | null}
 */
function decoded(content) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    return null;
  }
}

/**
 * The first line that is no UTF-8: no sign of several bytes holds a line end.
 * @param {Uint8Array} content
 * @returns {number}
 */
function badLine(content) {
  let line = 1;
  for (let start = 0; ; line += 1) {
    const end = content.indexOf(LINE_END, start);
    if (end < 0 || decoded(content.subarray(start, end)) === null) return line;
    start = end + 1;
  }
}

/**
 * @param {number} scores
 * @param {number} names
 */
function checkCount(scores, names) {
  if (scores === names) return;
  throw unsupported(`it gives ${scores} scores but names ${names} classes`, {
    expected: "one label for each score",
    hint:
      scores === 1001 && names === 1000 ? "the first class of such models is 'background'" : "",
  });
}

/**
 * @param {unknown} rule
 * @returns {Rule}
 */
function ruleOf(rule) {
  try {
    return parseRule(asText(rule));
  } catch (error) {
    if (!(error instanceof WhatsitError)) throw error;
    const { message, expected, hint } = error;
    throw unsupported(message, { expected, hint });
  }
}
