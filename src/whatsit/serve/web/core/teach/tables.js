/** Unpacked tables of the schema: their fields, and new ones. */

import { SIZES } from "./builder.js";
import { TABLES, UNIONS } from "./schema.js";

/**
 * An unpacked table, with all its fields: numbers (BigInt for 64 bits), lists of numbers as typed
 * arrays, text, tables; null for a field that is not there.
 * @typedef {Record<string, any>} Table
 */
/**
 * `place` is its slot, `kind` a scalar, "str", a table or a union, of which there is a list if it
 * is `listed`; `normal` is the schema's default.
 * @typedef {{name: string, place: number, kind: string, listed: boolean, normal: number}} Field
 */

/** @type {Map<string, Field[]>} */
const FIELDS = new Map();

/**
 * The fields of a table of the schema.
 * @param {string} table
 * @returns {Field[]}
 */
export function fieldsOf(table) {
  let fields = FIELDS.get(table);
  if (fields === undefined) {
    fields = TABLES[table].split(" ").flatMap((text, place) => {
      if (text === "-" || text === "") return [];
      const [name, type] = text.split(":");
      const [shape, normal = "0"] = type.split("=");
      const listed = shape.startsWith("[");
      const kind = listed ? shape.slice(1, -1) : shape;
      return [{ name, place, kind, listed, normal: Number(normal) }];
    });
    FIELDS.set(table, fields);
  }
  return fields;
}

/**
 * A table with nothing in it but the schema's defaults.
 * @param {string} table
 * @param {Table} [values] of some of its fields
 * @returns {Table}
 */
export function newTable(table, values = {}) {
  /** @type {Table} */
  const made = {};
  for (const { name, kind, listed, normal } of fieldsOf(table)) {
    made[name] = !listed && kind in SIZES ? (kind === "bool" ? normal !== 0 : normal) : null;
  }
  return Object.assign(made, values);
}

/**
 * The table that a number of a union stands for; null for none, and for what is newer than this.
 * @param {string} union
 * @param {number} number
 */
export function member(union, number) {
  return UNIONS[union].split(" ")[number - 1] ?? null;
}

/**
 * The number of a table in a union.
 * @param {string} union
 * @param {string} table
 */
export function memberNumber(union, table) {
  return UNIONS[union].split(" ").indexOf(table) + 1;
}
