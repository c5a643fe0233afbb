/** Values as Python's `repr` and its `:g` write them, so that an error reads the same here. */

const ESCAPES = new Map([
  ["\\", "\\\\"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/**
 * A string, number, list, boolean or null as Python shows it.
 * @param {unknown} value
 * @returns {string}
 */
export function repr(value) {
  if (typeof value === "string") return quoted(value);
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "number") return number(value);
  if (Array.isArray(value)) return `[${value.map(repr).join(", ")}]`;
  if (typeof value === "object") {
    const items = Object.entries(value).map(([key, part]) => `${quoted(key)}: ${repr(part)}`);
    return `{${items.join(", ")}}`;
  }
  return String(value);
}

/**
 * A list of numbers that Python holds as floats: 127 is `127.0`.
 * @param {readonly number[]} values
 * @returns {string}
 */
export function reprFloats(values) {
  return `[${values.map(reprFloat).join(", ")}]`;
}

/**
 * Bytes as Python shows them: b'caf\xe9'.
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function reprBytes(bytes) {
  const text = quoted(String.fromCharCode(...bytes));
  const escape = (/** @type {string} */ sign) => `\\x${sign.charCodeAt(0).toString(16)}`;
  return `b${text.replace(/[\x80-\xff]/g, escape)}`;
}

/**
 * What `f"{value:g}"` gives with so many digits.
 * @param {number} value
 * @param {number} digits
 * @returns {string}
 */
export function general(value, digits = 6) {
  if (!Number.isFinite(value)) return number(value);
  const rounded = Number(value.toPrecision(digits));
  if (rounded === 0) return Object.is(value, -0) ? "-0" : "0";
  const power = Number(rounded.toExponential().split("e")[1]);
  if (power >= -4 && power < digits) return plain(rounded);
  return exponent(rounded.toExponential());
}

/**
 * The text between quotes: single ones, unless the text has such and no double ones.
 * @param {string} text
 * @returns {string}
 */
function quoted(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  return quote + Array.from(text, (sign) => escaped(sign, quote)).join("") + quote;
}

/**
 * @param {string} sign
 * @param {string} quote
 * @returns {string}
 */
function escaped(sign, quote) {
  if (sign === quote) return `\\${sign}`;
  const known = ESCAPES.get(sign);
  if (known !== undefined) return known;
  if (!UNPRINTABLE.test(sign)) return sign;
  const code = /** @type {number} */ (sign.codePointAt(0));
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}

/**
 * @param {number} value
 * @returns {string}
 */
function number(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (Number.isInteger(value) || (size >= 1e-4 && size < 1e16)) return plain(value);
  return exponent(value.toExponential());
}

/**
 * @param {number} value
 * @returns {string}
 */
function reprFloat(value) {
  if (!Number.isInteger(value)) return number(value);
  if (Math.abs(value) >= 1e16) return exponent(value.toExponential());
  return `${Object.is(value, -0) ? "-0" : value}.0`;
}

/**
 * Without an exponent: JavaScript has one from 1e21 up and below 1e-6 only.
 * @param {number} value
 * @returns {string}
 */
function plain(value) {
  return Number.isInteger(value) ? BigInt(value).toString() : String(value);
}

/**
 * Two digits at least in the exponent.
 * @param {string} text
 * @returns {string}
 */
function exponent(text) {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}
