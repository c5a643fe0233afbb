/**
 * A tensor on a graph's way, given as one more output: whatsit._taps.
 *
 * Only the list of outputs is written anew (a few bytes behind the file), so nothing is unpacked.
 */

import { damaged, GET_IT_AGAIN } from "./errors.js";
import { Broken, Node, itemAt, reading } from "./flatbuffer.js";
import { tensorOf } from "./metadata.js";

const FLOAT16 = 1; // among the schema's types of tensors
const MAX_INDICES = 1 << 20; // that operators name: the largest graphs have some thousand tensors

/**
 * The tensor at `index` of a model. Throws model-damaged where there is none.
 * @param {Uint8Array} bytes
 * @param {number} index
 * @returns {import("./metadata.js").TensorInfo}
 */
export function tensorInfo(bytes, index) {
  const info = reading(() => {
    const tensors = graphOf(bytes).nodes(0);
    return index >= 0 && index < tensors.length ? tensorOf(itemAt(tensors, index)) : null;
  });
  if (info === null) throw noTensor(index, "the graph has no such tensor");
  return info;
}

/**
 * The model, to be run only: its graph gives the tensor at `index` as well, as its last output.
 *
 * Throws model-damaged for one that is not computed from the graph's input: of those an engine
 * would give a constant, or memory never written.
 * @param {Uint8Array} bytes
 * @param {number} index
 * @returns {Uint8Array}
 */
export function tapped(bytes, index) {
  return reading(() => {
    const graph = graphOf(bytes);
    const outputs = graph.numbers(2, "i");
    if (outputs.includes(index)) throw noTensor(index, "it is the graph's output already");
    if (!computed(graph).has(index)) throw noTensor(index, "it is not computed from the picture");
    return graph.withNumbers(2, [...outputs, index]);
  });
}

/**
 * Whether a model keeps numbers as float16.
 * @param {Uint8Array} bytes
 * @returns {boolean}
 */
export function hasFloat16(bytes) {
  return reading(() => graphOf(bytes).nodes(0).some((tensor) => tensor.number(1, "b") === FLOAT16));
}

/**
 * The model's first subgraph, which is the one that is run.
 * @param {Uint8Array} bytes
 * @returns {Node}
 */
function graphOf(bytes) {
  return itemAt(Node.root(bytes).nodes(2), 0);
}

/**
 * The tensors that the operators make of the graph's inputs.
 * @param {Node} graph
 * @returns {Set<number>}
 */
function computed(graph) {
  const inputs = new Set(graph.numbers(1, "i"));
  const found = new Set(inputs);
  let indices = 0;
  for (const operator of graph.nodes(3)) {
    // In the order in which they run.
    const sources = operator.numbers(1, "i");
    const targets = operator.numbers(2, "i");
    indices += sources.length + targets.length;
    if (indices > MAX_INDICES) {
      // Operators may share one long list.
      throw new Broken(`more than ${MAX_INDICES} inputs and outputs of operators`);
    }
    if (sources.some((source) => found.has(source))) targets.forEach((target) => found.add(target));
  }
  inputs.forEach((input) => found.delete(input));
  return found;
}

/**
 * @param {number} index
 * @param {string} reason
 * @returns {import("./errors.js").WhatsitError}
 */
function noTensor(index, reason) {
  const message = `tensor ${index} of the model cannot be read: ${reason}`;
  return damaged(message, {
    expected: "a tensor on the way from the picture to the scores",
    hint: GET_IT_AGAIN,
  });
}
