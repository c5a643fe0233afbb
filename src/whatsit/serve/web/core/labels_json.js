/**
 * The classes of a record, taken out of JSON of any shape as Python takes them: text is a list of
 * its characters, an object one of its keys, and anything is text where text is asked for.
 */

import { WhatsitError } from "./errors.js";
import { repr } from "./repr.js";

/** @typedef {Map<string, [name: string, parent: string | null]>} Tree */
/**
 * @typedef {{names: string[], synsets?: string[], lemmas?: string[][], parents?: string[],
 *   tree?: Tree, source?: string}} Parts
 */

/** What Python would raise, by its name and words. */
class Misshapen extends Error {
  /**
   * @param {"KeyError" | "TypeError" | "ValueError" | "AttributeError"} kind
   * @param {string} message
   */
  constructor(kind, message) {
    super(`${kind}(${repr(message)})`);
  }
}

/**
 * What `classes` of a record holds, each part as text. Throws model-unsupported.
 * @param {Record<string, unknown>} classes
 * @returns {Required<Parts>}
 */
export function partsOf(classes) {
  try {
    return parsed(classes);
  } catch (error) {
    if (!(error instanceof Misshapen)) throw error;
    const message = `the record's classes cannot be read: ${error.message}`;
    throw new WhatsitError("model-unsupported", message);
  }
}

/**
 * @param {Record<string, unknown>} classes
 * @returns {Required<Parts>}
 */
function parsed(classes) {
  const part = (/** @type {string} */ key, /** @type {unknown} */ missing) => {
    return Object.hasOwn(classes, key) ? classes[key] : missing;
  };
  if (!Object.hasOwn(classes, "names")) throw new Misshapen("KeyError", "names");
  return {
    names: items(classes.names).map(asText),
    synsets: items(part("synsets", [])).map(asText),
    lemmas: items(part("lemmas", [])).map((row) => items(row).map(asText)),
    parents: items(part("parents", [])).map(asText),
    tree: treeOf(part("tree", {})),
    source: asText(part("source", "")),
  };
}

/**
 * @param {unknown} tree
 * @returns {Tree}
 */
function treeOf(tree) {
  if (tree === null || typeof tree !== "object" || Array.isArray(tree)) {
    const message = `'${kindOf(tree)}' object has no attribute 'items'`;
    throw new Misshapen("AttributeError", message);
  }
  return new Map(
    Object.entries(tree).map(([id, node]) => {
      const [name, parent] = pair(node);
      return [id, [asText(name), parent === null ? null : asText(parent)]];
    }),
  );
}

/**
 * @param {unknown} value
 * @returns {unknown[]}
 */
function pair(value) {
  if (value === null || !(typeof value === "string" || typeof value === "object")) {
    throw new Misshapen("TypeError", `cannot unpack non-iterable ${kindOf(value)} object`);
  }
  const both = items(value);
  if (both.length > 2) throw new Misshapen("ValueError", "too many values to unpack (expected 2)");
  if (both.length < 2) {
    const message = `not enough values to unpack (expected 2, got ${both.length})`;
    throw new Misshapen("ValueError", message);
  }
  return both;
}

/**
 * @param {unknown} value
 * @returns {unknown[]}
 */
function items(value) {
  if (Array.isArray(value)) return value;
  if (typeof value === "string") return Array.from(value);
  if (value !== null && typeof value === "object") return Object.keys(value);
  throw new Misshapen("TypeError", `'${kindOf(value)}' object is not iterable`);
}

/**
 * What Python's `str` makes of a value of JSON.
 * @param {unknown} value
 * @returns {string}
 */
export function asText(value) {
  return typeof value === "string" ? value : repr(value);
}

/**
 * The name of a value's type in Python.
 * @param {unknown} value
 * @returns {string}
 */
function kindOf(value) {
  if (value === null) return "NoneType";
  if (Array.isArray(value)) return "list";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return typeof value === "string" ? "str" : "dict";
}
