/** Our whatsit.json inside a bundle, as the `_read_record` of whatsit.bundle takes it. */

import { WhatsitError } from "./errors.js";
import { BadJSON, parseJSON } from "./json.js";
import { repr } from "./repr.js";

export const RECORD_FILE = "whatsit.json";
const RECORD_FORMAT = 1;
const HALF_PAIRS = /[\ud800-\udfff]+/u;
const SHOWN_SIGNS = 20; // before and behind what is no text

/**
 * The record; empty where the model has none. Throws model-damaged or model-unsupported.
 * @param {Uint8Array | undefined} content
 * @returns {Record<string, any>}
 */
export function readRecord(content) {
  if (content === undefined) return {};
  const text = decoded(content);
  const record = /** @type {any} */ (parsed(text));
  if (/\\ud/i.test(text)) checkText(record); // half a pair of these escapes is no character
  const whole = record !== null && typeof record === "object" && !Array.isArray(record);
  // For Python true is 1.
  if (!whole || ![RECORD_FORMAT, true].includes(record.format)) {
    throw new WhatsitError("model-unsupported", `its ${RECORD_FILE} is of another format`, {
      expected: `format ${RECORD_FORMAT}`,
      hint: "a newer whatsit may read it: pip install -U whatsit",
    });
  }
  return record;
}

/**
 * @param {string} reason
 * @returns {WhatsitError}
 */
function unreadable(reason) {
  return new WhatsitError("model-damaged", `its ${RECORD_FILE} cannot be read: ${reason}`);
}

/**
 * @param {Uint8Array} content
 * @returns {string}
 */
function decoded(content) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    throw unreadable("it is no UTF-8");
  }
}

/**
 * @param {string} text
 * @returns {unknown}
 */
function parsed(text) {
  try {
    return parseJSON(text);
  } catch (error) {
    if (error instanceof BadJSON) throw unreadable(error.message);
    throw error;
  }
}

/**
 * Throws model-damaged for half a pair anywhere in the record, with what stands around it.
 * @param {unknown} record
 */
function checkText(record) {
  const text = dumped(record);
  const found = HALF_PAIRS.exec(text);
  if (found === null) return;
  const end = found.index + found[0].length;
  const before = text.slice(Math.max(0, found.index - 2 * SHOWN_SIGNS), found.index);
  const behind = text.slice(end, end + 2 * SHOWN_SIGNS);
  const signs = [
    ...Array.from(before).slice(-SHOWN_SIGNS),
    found[0],
    ...Array.from(behind).slice(0, SHOWN_SIGNS),
  ];
  throw unreadable(`${repr(signs.join(""))} is no text`);
}

/**
 * JSON as Python writes it, half pairs as they are: JSON.stringify would write escapes.
 * @param {unknown} value
 * @returns {string}
 */
function dumped(value) {
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map(dumped).join(", ")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const items = Object.entries(value).map(([key, part]) => `${quoted(key)}: ${dumped(part)}`);
  return `{${items.join(", ")}}`;
}

/**
 * @param {string} text
 * @returns {string}
 */
function quoted(text) {
  const signs = Array.from(text, (sign) => {
    return HALF_PAIRS.test(sign) ? sign : JSON.stringify(sign).slice(1, -1);
  });
  return `"${signs.join("")}"`;
}
