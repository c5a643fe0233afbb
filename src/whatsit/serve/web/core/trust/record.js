/** What a bundle's record says of its calibration: `Trust.from_json` of whatsit.trust.values. */

import { repr, reprFloats } from "../repr.js";
import { prototypesOf } from "./known.js";

/** @typedef {import("./known.js").Known} Known */
/** @typedef {import("./known.js").Prototypes} Prototypes */
/** @typedef {import("./known.js").RuleName} RuleName */
/**
 * What calibration has found, on `pictures` of `dataSet`, which the model never saw: see
 * whatsit.trust.values.
 * @typedef {{dataSet: string, pictures: number, temperature: number, places: Float64Array,
 *   misled: Float64Array, known: Known, error: [number, number]}} Trust
 */

const RULES = ["peak", "prototypes", "score"];
export const MOST_KEPT = 1000; // numbers of a kind, whose limits are as good as those of more
export const MOST_TEMPERATURE = 20;
const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The record is not one that calibration writes; says why, as Python would. */
export class Misread extends Error {}

/**
 * The trust of a record for so many classes. Throws Misread.
 * @param {unknown} value
 * @param {number} classes
 * @returns {Trust}
 */
export function readTrust(value, classes) {
  const known = item(value, "known");
  const error = errorsOf(item(value, "error"));
  const rule = item(known, "rule");
  const names = typeof known === "string" ? [] : Object.keys(Object(known));
  const fits = (rule === "prototypes") === names.includes("prototypes");
  if (typeof rule !== "string" || !RULES.includes(rule) || !fits) {
    throw new Misread(`the rule ${repr(rule)}`);
  }
  if (rule === "peak" && classes < 2) throw new Misread("a peak of one class");
  const temperature = float(item(value, "temperature"));
  if (!(temperature >= 1 / MOST_TEMPERATURE && temperature <= MOST_TEMPERATURE)) {
    throw new Misread(`the temperature ${shown(temperature)}`);
  }
  const rows = rule === "prototypes" ? readPrototypes(item(known, "prototypes"), classes) : null;
  const pictures = whole(item(value, "pictures"));
  const [places, misled] = [item(value, "places"), item(value, "misled")];
  const counts = [lengthOf(places), lengthOf(misled)];
  if (counts.some((count) => count !== Math.min(pictures, MOST_KEPT))) {
    throw new Misread(`${counts[0]} and ${counts[1]} numbers of ${pictures} pictures`);
  }
  return {
    dataSet: String(item(value, "data_set")),
    pictures,
    temperature,
    places: rising(places),
    misled: rising(misled),
    known: {
      rule: /** @type {RuleName} */ (rule),
      scores: rising(item(known, "scores")),
      prototypes: rows,
    },
    error,
  };
}

/**
 * @param {unknown} value
 * @returns {[number, number]}
 */
function errorsOf(value) {
  if (!Array.isArray(value)) throw new Misread(`${kindOf(value)} object is not iterable`);
  if (value.length > 2) throw new Misread("too many values to unpack (expected 2)");
  const [before, after] = value.map(float);
  if (value.length < 2) {
    throw new Misread(`not enough values to unpack (expected 2, got ${value.length})`);
  }
  const inside = [before, after].every((share) => share >= 0 && share <= 1);
  if (!inside) throw new Misread(`the errors ${shown(before)} and ${shown(after)}`);
  return [before, after];
}

/**
 * @param {unknown} value
 * @param {number} classes
 * @returns {Prototypes}
 */
function readPrototypes(value, classes) {
  const rows = bytesOf(item(value, "rows"));
  const [tensor, width] = [item(value, "tensor"), item(value, "width")];
  if (!isCount(tensor, 0) || !isCount(width, 1)) {
    throw new Misread(`the tensor ${repr(tensor)} of ${repr(width)} values`);
  }
  if (rows.length !== classes * width) {
    const shape = `(${classes},${width})`;
    throw new Misread(`cannot reshape array of size ${rows.length} into shape ${shape}`);
  }
  return prototypesOf(rows, width, tensor);
}

/**
 * @param {unknown} value
 * @param {number} least
 * @returns {value is number}
 */
function isCount(value, least) {
  return typeof value === "number" && Number.isInteger(value) && value >= least;
}

/**
 * @param {unknown} text base64
 * @returns {Int8Array}
 */
function bytesOf(text) {
  if (typeof text !== "string") {
    const kind = kindOf(text);
    throw new Misread(`argument should be a bytes-like object or ASCII string, not ${kind}`);
  }
  if (!BASE64.test(text)) throw new Misread("Only base64 data is allowed");
  const count = text.replace(/=+$/, "").length;
  if (count % 4 === 1) {
    const what = `number of data characters (${count}) cannot be 1 more than a multiple of 4`;
    throw new Misread(`Invalid base64-encoded string: ${what}`);
  }
  if (text.length % 4 !== 0) throw new Misread("Incorrect padding");
  const signs = atob(text);
  return Int8Array.from(signs, (sign) => sign.charCodeAt(0));
}

/**
 * Numbers that rise.
 * @param {unknown} values
 * @returns {Float64Array}
 */
function rising(values) {
  const bad = new Misread("numbers that do not rise");
  if (!Array.isArray(values) || values.some((value) => Array.isArray(value))) throw bad;
  const found = Float64Array.from(values, (value) => (value === null ? NaN : float(value)));
  if (!found.every(Number.isFinite)) throw bad;
  if (found.some((value, i) => i > 0 && value < found[i - 1])) throw bad;
  return found;
}

/**
 * `value[key]`, as Python takes it from JSON.
 * @param {unknown} value
 * @param {string} key
 * @returns {unknown}
 */
function item(value, key) {
  if (Array.isArray(value)) {
    throw new Misread("list indices must be integers or slices, not str");
  }
  if (typeof value === "string") throw new Misread("string indices must be integers, not 'str'");
  if (value === null || typeof value !== "object") {
    throw new Misread(`${kindOf(value)} object is not subscriptable`);
  }
  if (!Object.hasOwn(value, key)) throw new Misread(repr(key));
  return /** @type {Record<string, unknown>} */ (value)[key];
}

/**
 * @param {unknown} value
 * @returns {number}
 */
function float(value) {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "string") {
    if (NUMBER.test(value)) return Number(value);
    throw new Misread(`could not convert string to float: ${repr(value)}`);
  }
  const kind = kindOf(value);
  throw new Misread(`float() argument must be a string or a real number, not ${kind}`);
}

/**
 * @param {unknown} value
 * @returns {number}
 */
function whole(value) {
  if (typeof value === "string" && !/^\s*[+-]?\d+\s*$/.test(value)) {
    throw new Misread(`invalid literal for int() with base 10: ${repr(value)}`);
  }
  if (value === null || typeof value === "object") {
    const kind = kindOf(value);
    throw new Misread(
      `int() argument must be a string, a bytes-like object or a real number, not ${kind}`,
    );
  }
  const number = float(value);
  if (Number.isNaN(number)) throw new Misread("cannot convert float NaN to integer");
  if (!Number.isFinite(number)) throw new Misread("cannot convert float infinity to integer");
  return Math.trunc(number);
}

/**
 * @param {unknown} value
 * @returns {number}
 */
function lengthOf(value) {
  if (Array.isArray(value)) return value.length;
  if (typeof value === "string") return Array.from(value).length;
  if (value !== null && typeof value === "object") return Object.keys(value).length;
  throw new Misread(`object of type ${kindOf(value)} has no len()`);
}

/**
 * @param {number} value
 * @returns {string}
 */
function shown(value) {
  return reprFloats([value]).slice(1, -1);
}

/**
 * The name of a value's type in Python, in quotes.
 * @param {unknown} value
 * @returns {string}
 */
function kindOf(value) {
  if (value === null) return "'NoneType'";
  if (Array.isArray(value)) return "'list'";
  if (typeof value === "boolean") return "'bool'";
  if (typeof value === "number") return Number.isInteger(value) ? "'int'" : "'float'";
  return typeof value === "string" ? "'str'" : "'dict'";
}
