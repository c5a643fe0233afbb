/** Leaves of a graph only what leads to one tensor; the rest goes, weights too. `graph.prune`. */

import {
  inputsOf,
  intermediatesOf,
  onlyGraph,
  outputsOf,
  producers,
  tensorName,
  unsupported,
} from "./read.js";

/** @typedef {import("./tables.js").Table} Table */

/**
 * Drops from `model` what the tensor `target` does not need; gives its new index.
 *
 * Metadata and signatures go too, since they name tensors that may be gone. A `;` in the name of a
 * tensor, which MediaPipe takes for a list, becomes a comma. Throws model-unsupported if the tensor
 * does not come from the graph's input.
 * @param {Table} model
 * @param {number} target
 * @returns {number}
 */
export function prune(model, target) {
  const graph = onlyGraph(model);
  const needed = ancestors(graph, target);
  if (![...graph.inputs].every((index) => needed.has(index))) {
    throw unsupported("its embedding does not depend on the picture");
  }
  graph.operators = graph.operators.filter((/** @type {Table} */ operator) =>
    outputsOf(operator).some((index) => needed.has(index)),
  );
  const kept = new Set([...needed, ...graph.operators.flatMap(tensorsOf)]);
  const places = placesOf(kept);
  graph.tensors = [...places.keys()].map((index) => graph.tensors[index]);
  graph.inputs = moved(graph.inputs, places);
  graph.outputs = moved([target], places);
  for (const operator of graph.operators) {
    operator.inputs = moved(operator.inputs ?? [], places);
    operator.outputs = moved(operator.outputs ?? [], places);
    if (operator.intermediates !== null) {
      operator.intermediates = moved(intermediatesOf(operator), places);
    }
  }
  dropCodes(model, graph);
  dropBuffers(model, graph);
  dropRemarks(model, graph);
  return /** @type {number} */ (places.get(target));
}

/**
 * `target` and all tensors that it is computed from, constants too.
 * @param {Table} graph
 * @param {number} target
 * @returns {Set<number>}
 */
function ancestors(graph, target) {
  const madeBy = producers(graph);
  const found = new Set([target]);
  const waiting = [target];
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    const operator = madeBy.get(index);
    for (const source of operator === undefined ? [] : inputsOf(operator)) {
      if (!found.has(source)) waiting.push(source);
      found.add(source);
    }
  }
  return found;
}

/** @param {Table} operator */
function tensorsOf(operator) {
  return [...inputsOf(operator), ...outputsOf(operator), ...intermediatesOf(operator)];
}

/**
 * Old index → new index, in rising order.
 * @param {Iterable<number>} kept
 * @returns {Map<number, number>}
 */
function placesOf(kept) {
  const ordered = [...new Set(kept)].sort((a, b) => a - b);
  return new Map(ordered.map((old, place) => [old, place]));
}

/**
 * @param {Iterable<number>} indices
 * @param {Map<number, number>} places
 */
function moved(indices, places) {
  return Int32Array.from(indices, (index) => places.get(index) ?? -1);
}

/**
 * @param {Table} model
 * @param {Table} graph
 */
function dropCodes(model, graph) {
  const places = placesOf(graph.operators.map((/** @type {Table} */ one) => one.opcodeIndex));
  model.operatorCodes = [...places.keys()].map((index) => model.operatorCodes[index]);
  for (const operator of graph.operators) operator.opcodeIndex = places.get(operator.opcodeIndex);
}

/**
 * @param {Table} model
 * @param {Table} graph
 */
function dropBuffers(model, graph) {
  const used = graph.tensors.map((/** @type {Table} */ tensor) => tensor.buffer);
  const places = placesOf([0, ...used]); // 0 is "no data"
  model.buffers = [...places.keys()].map((index) => model.buffers[index]);
  for (const tensor of graph.tensors) tensor.buffer = places.get(tensor.buffer);
}

/**
 * @param {Table} model
 * @param {Table} graph
 */
function dropRemarks(model, graph) {
  model.metadata = model.metadataBuffer = model.signatureDefs = null;
  graph.debugMetadataIndex = -1;
  for (const operator of graph.operators) operator.debugMetadataIndex = -1;
  for (const tensor of graph.tensors) tensor.name = tensorName(tensor).replaceAll(";", ",");
}
