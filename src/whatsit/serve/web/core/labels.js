/**
 * The classes of a model: index, unique display name, and WordNet where the model carries it, as
 * in whatsit.labels.
 */

import { WhatsitError } from "./errors.js";
import { partsOf } from "./labels_json.js";
import { repr } from "./repr.js";

const MOST_LEVELS = 100; // of a tree: WordNet has 18 above ImageNet's classes
/** What Python takes for white space: other signs than String.trim does. */
const SPACE = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const LEADING_SPACE = new RegExp(`^[${SPACE}]+`);
const SPACE_SIGN = new RegExp(`[${SPACE}]`);

/** @typedef {import("./labels_json.js").Parts} Parts */

/**
 * One name a class, in the order of the model's output.
 *
 * `parents` names what is directly above each class, and `tree` maps each such node to its name
 * and parent; there is one root. `synsets` and `lemmas` are empty without WordNet.
 */
export class Labels {
  /** @type {Map<string, number[]> | null} */
  #below = null;

  /** @param {Parts} parts */
  constructor({ names, synsets = [], lemmas = [], parents = [], tree = new Map(), source = "" }) {
    this.names = names;
    this.synsets = synsets;
    this.lemmas = lemmas;
    this.parents = parents;
    this.tree = tree;
    this.source = source;
  }

  /**
   * One class a line, as TFLite Metadata has it. A name that occurs twice gets its index.
   * @param {string} text
   * @returns {Labels}
   */
  static fromLines(text) {
    const lines = text.endsWith("\n") ? text.slice(0, -1) : text;
    let names = lines.split("\n").map(stripped);
    // Again, should "crane (134)" have been there before.
    while (new Set(names).size < names.length) {
      const seen = counted(names);
      names = names.map((name, index) => (seen.get(name) === 1 ? name : `${name} (${index})`));
    }
    return new Labels({ names });
  }

  /**
   * The `classes` object of our record. Throws model-unsupported if its parts do not fit.
   * @param {Record<string, unknown>} classes
   * @returns {Labels}
   */
  static fromJSON(classes) {
    const labels = new Labels(partsOf(classes));
    for (const part of [labels.synsets, labels.lemmas, labels.parents]) {
      if (part.length > 0 && part.length !== labels.names.length) {
        const count = `${part.length} of something for ${labels.names.length} classes`;
        throw new WhatsitError("model-unsupported", `the record lists ${count}`);
      }
    }
    return labels;
  }

  /**
   * The WordNet id of a class, or null where the model carries none.
   * @param {number} index
   * @returns {string | null}
   */
  synset(index) {
    return this.synsets[index] ?? null;
  }

  /**
   * The ids of the nodes above a class, nearest first, up to the root. Throws model-unsupported
   * for a tree of more than 100 levels, as only a damaged record has.
   * @param {number} index
   * @returns {string[]}
   */
  ancestors(index) {
    /** @type {string[]} */
    const chain = [];
    /** @type {string | null} */
    let node = this.parents[index] ?? null;
    // A damaged record may hold a circle.
    while (node !== null && !chain.includes(node)) {
      if (chain.length === MOST_LEVELS) {
        const name = repr(this.names[index]);
        const message = `more than ${MOST_LEVELS} nodes lie above the class ${name}`;
        const expected = `a tree of at most ${MOST_LEVELS} levels`;
        throw new WhatsitError("model-unsupported", message, { expected });
      }
      chain.push(node);
      node = this.tree.get(node)?.[1] ?? null;
    }
    return chain;
  }

  /** The classes below each inner node of the tree, by its id. */
  get below() {
    if (this.#below === null) {
      /** @type {Map<string, number[]>} */
      const found = new Map();
      this.parents.forEach((_, index) => {
        for (const node of this.ancestors(index)) {
          const indices = found.get(node);
          if (indices === undefined) found.set(node, [index]);
          else indices.push(index);
        }
      });
      this.#below = found;
    }
    return this.#below;
  }
}

/**
 * @param {string} text
 * @returns {string}
 */
function stripped(text) {
  // A pattern anchored at the end alone would take quadratic time for a line of spaces.
  let end = text.length;
  while (end > 0 && SPACE_SIGN.test(text[end - 1])) end -= 1;
  return text.slice(0, end).replace(LEADING_SPACE, "");
}

/**
 * @param {string[]} names
 * @returns {Map<string, number>}
 */
function counted(names) {
  const seen = new Map();
  for (const name of names) seen.set(name, (seen.get(name) ?? 0) + 1);
  return seen;
}
