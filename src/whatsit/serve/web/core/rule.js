/** The rule of cutting and resizing as a value: `Preprocess` of whatsit.preprocess. */

import { WhatsitError } from "./errors.js";
import { general, repr } from "./repr.js";

/** @typedef {"crop" | "stretch" | "pad"} Mode */
/** @typedef {"bilinear" | "bicubic" | "lanczos" | "box" | "legacy-bilinear"} Filter */
/**
 * How a picture is cut and resized. `fraction` counts for crop alone.
 * @typedef {{readonly mode: Mode, readonly filter: Filter, readonly fraction: number}} Rule
 */

/** @type {readonly string[]} */
const MODES = ["crop", "stretch", "pad"];
/** @type {readonly string[]} */
const FILTERS = ["bilinear", "bicubic", "lanczos", "box", "legacy-bilinear"];
/** @type {Record<Mode, Filter>} */
const DEFAULT_FILTERS = { crop: "bicubic", stretch: "legacy-bilinear", pad: "bicubic" };

const SMALLEST_FRACTION = 0.01;
const SPEC = /^([a-z]+)(?:\(([^()]*)\))?$/;
const NUMBER = /^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/i;
const EXPECTED =
  "crop, crop(0.875), crop(0.875, bicubic), stretch, stretch(bilinear) or pad";

/**
 * The rule that `text` writes. Throws wrong-usage for anything else.
 * @param {string} text
 * @returns {Rule}
 */
export function parseRule(text) {
  const match = SPEC.exec(text.trim());
  if (match === null || !MODES.includes(match[1])) throw badRule(text);
  const mode = /** @type {Mode} */ (match[1]);
  const words = (match[2] ?? "")
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  const filters = words.filter((word) => FILTERS.includes(word));
  const fractions = words
    .filter((word) => !FILTERS.includes(word))
    .map((word) => fractionOf(word, text));
  if (filters.length > 1 || fractions.length > (mode === "crop" ? 1 : 0)) throw badRule(text);
  const filter = /** @type {Filter} */ (filters[0] ?? DEFAULT_FILTERS[mode]);
  return Object.freeze({ mode, filter, fraction: fractions[0] ?? 1 });
}

/**
 * The rule as text, with all that the defaults would add.
 * @param {Rule} rule
 * @returns {string}
 */
export function ruleText(rule) {
  if (rule.mode === "crop") return `crop(${general(rule.fraction, 12)}, ${rule.filter})`;
  return `${rule.mode}(${rule.filter})`;
}

/**
 * @param {string} word
 * @param {string} text
 * @returns {number}
 */
function fractionOf(word, text) {
  const fraction = NUMBER.test(word) ? Number(word.replaceAll("_", "")) : NaN;
  if (!(fraction >= SMALLEST_FRACTION && fraction <= 1)) throw badRule(text);
  return fraction;
}

/**
 * @param {string} text
 * @returns {WhatsitError}
 */
function badRule(text) {
  return new WhatsitError("wrong-usage", `${repr(text)} is not a preprocessing rule`, {
    expected: EXPECTED,
    hint: `filters: ${FILTERS.join(", ")}; fractions: ${SMALLEST_FRACTION} to 1`,
  });
}
