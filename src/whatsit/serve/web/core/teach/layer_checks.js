/** What a new last layer may be: `_classes`, `_numbers` and `_seen` of whatsit.graph.graft. */

import { WhatsitError } from "../errors.js";
import { repr } from "../repr.js";

/** @typedef {import("./graft.js").Layer} Layer */

/**
 * The names of classes, checked: the same name twice would be two answers that nobody can tell
 * apart.
 * @param {string[]} labels
 * @returns {string[]}
 */
export function checkedNames(labels) {
  const names = labels.map((label) => label.trim());
  if (names.length < 2) {
    const count = `${names.length} class${names.length === 1 ? "" : "es"}`;
    throw usage(`${count} to tell apart`, {
      expected: "at least two: a model of one class gives it to every picture",
      hint: "add a class with pictures of anything else",
    });
  }
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw usage(`the class ${repr(twice)} twice`, { expected: "a name of its own for each class" });
  }
  if (names.includes("")) {
    throw usage(`class ${names.indexOf("")} without a name`, { expected: "a name" });
  }
  if (names.some((name) => /[\n\r]/.test(name))) {
    throw usage("a class name of several lines", { expected: "one line a class" });
  }
  return names;
}

/**
 * Throws wrong-usage unless the layer has a row for each class, and all of them are numbers.
 * @param {Layer} layer
 * @param {number} classes
 * @param {number} width
 */
export function checkNumbers({ weights, bias }, classes, width) {
  if (weights.length !== classes * width || bias.length !== classes) {
    throw usage(`${weights.length} weights and ${bias.length} biases`, {
      expected:
        `${classes * width} and ${classes}: ${classes} classes, ` +
        `an embedding of ${width} values`,
    });
  }
  checkFinite(weights, "weights");
  checkFinite(bias, "biases");
}

/**
 * @param {Float32Array} values
 * @param {string} what
 */
function checkFinite(values, what) {
  const count = values.reduce((sum, value) => sum + (Number.isFinite(value) ? 0 : 1), 0);
  if (count) throw usage(`${count} of the ${values.length} ${what} are no finite numbers`);
}

/**
 * The logits of an int8 layer. Throws wrong-usage where there are none.
 * @param {Float32Array | null} logits
 * @param {number} classes
 * @returns {Float32Array}
 */
export function seen(logits, classes) {
  if (logits === null) {
    throw usage("an int8 layer without logits", {
      expected: "what the layer gives for some pictures, to choose the steps of its output by",
    });
  }
  if (!logits.length || logits.length % classes !== 0) {
    throw usage(`${logits.length} logits`, {
      expected: `[pictures, ${classes}], of at least one picture`,
    });
  }
  checkFinite(logits, "logits");
  return logits;
}

/**
 * @param {string} message
 * @param {{expected?: string, hint?: string}} [more]
 */
function usage(message, more) {
  return new WhatsitError("wrong-usage", message, more);
}
