/**
 * A .tflite unpacked into plain objects, and packed again: `read_model` and `pack_model` of
 * whatsit._flatbuffer.
 */

import { Builder, SIZES } from "./builder.js";
import { UNIONS } from "./schema.js";
import { fieldsOf, member, newTable } from "./tables.js";

/** @typedef {import("./builder.js").Scalar} Scalar */
/** @typedef {import("./builder.js").Numbers} Numbers */
/** @typedef {import("./tables.js").Field} Field */
/** @typedef {import("./tables.js").Table} Table */

const IDENTIFIER = "TFL3";
const WEIGHT_ALIGNMENT = 16; // the schema's force_align, on which kernels on Arm may rely
const MOST_TABLES = 1 << 16; // in one list: the largest graphs have some thousand tensors
const MOST_DEPTH = 16; // of tables in tables: the schema has 6

const DECODER = new TextDecoder();

/** @type {Record<Scalar, (view: DataView, at: number) => number | bigint | boolean>} */
const READ = {
  bool: (view, at) => view.getUint8(at) !== 0,
  i8: (view, at) => view.getInt8(at),
  u8: (view, at) => view.getUint8(at),
  i16: (view, at) => view.getInt16(at, true),
  u16: (view, at) => view.getUint16(at, true),
  i32: (view, at) => view.getInt32(at, true),
  u32: (view, at) => view.getUint32(at, true),
  i64: (view, at) => view.getBigInt64(at, true),
  u64: (view, at) => view.getBigUint64(at, true),
  f32: (view, at) => view.getFloat32(at, true),
  f64: (view, at) => view.getFloat64(at, true),
};

/** @type {Record<Scalar, any>} */
const ARRAYS = {
  bool: Uint8Array,
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
};

/**
 * The model of a file; weights kept behind its tables are moved into them.
 *
 * Throws RangeError for tables that lead out of the file.
 * @param {Uint8Array} bytes
 * @returns {Table}
 */
export function readModel(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength); // not Node's Buffer
  const model = new Reader(bytes, view).table("Model", view.getUint32(0, true), 0);
  for (const buffer of model.buffers ?? []) {
    const [offset, size] = [Number(buffer.offset), Number(buffer.size)];
    if (offset <= 1) continue; // 0 and 1 mean: the data stand inside
    if (offset + size > bytes.length) throw new RangeError("weights beyond the end of the file");
    buffer.data = bytes.slice(offset, offset + size);
    buffer.offset = buffer.size = 0n;
  }
  return model;
}

class Reader {
  /**
   * @param {Uint8Array} bytes
   * @param {DataView} view of the same
   */
  constructor(bytes, view) {
    this.bytes = bytes;
    this.view = view;
  }

  /**
   * @param {string} table
   * @param {number} position
   * @param {number} depth
   * @returns {Table}
   */
  table(table, position, depth) {
    if (depth > MOST_DEPTH) throw new RangeError("tables that go in circles");
    const vtable = position - this.view.getInt32(position, true);
    const size = this.view.getUint16(vtable, true);
    const found = newTable(table);
    for (const field of fieldsOf(table)) {
      const slot = 4 + 2 * field.place;
      const offset = slot < size ? this.view.getUint16(vtable + slot, true) : 0;
      if (offset !== 0) found[field.name] = this.#field(field, position + offset, found, depth);
    }
    return found;
  }

  /**
   * @param {Field} field
   * @param {number} at
   * @param {Table} table that is read, for the number of a union
   * @param {number} depth
   */
  #field(field, at, table, depth) {
    if (!field.listed) return this.#value(field, at, table, depth);
    const start = this.#follow(at) + 4;
    const count = this.view.getUint32(start - 4, true);
    if (field.kind in SIZES) return this.#numbers(/** @type {Scalar} */ (field.kind), start, count);
    if (count > MOST_TABLES) throw new RangeError(`a list of ${count} tables`);
    return Array.from({ length: count }, (_, i) => this.#value(field, start + 4 * i, table, depth));
  }

  /**
   * @param {Field} field
   * @param {number} at
   * @param {Table} table
   * @param {number} depth
   */
  #value({ name, kind }, at, table, depth) {
    if (kind in SIZES) return READ[/** @type {Scalar} */ (kind)](this.view, at);
    const position = this.#follow(at);
    if (kind === "str") {
      const length = this.view.getUint32(position, true);
      return DECODER.decode(this.#part(position + 4, length));
    }
    const own = kind in UNIONS ? member(kind, table[`${name}Type`]) : kind;
    return own === null ? null : this.table(own, position, depth + 1);
  }

  /**
   * @param {Scalar} kind
   * @param {number} start
   * @param {number} count
   * @returns {Numbers}
   */
  #numbers(kind, start, count) {
    const part = this.#part(start, count * SIZES[kind]);
    return new ARRAYS[kind](part.slice().buffer);
  }

  /**
   * @param {number} start
   * @param {number} length
   */
  #part(start, length) {
    if (start + length > this.bytes.length) {
      throw new RangeError(`a list of ${length} reaches beyond the end of the file`);
    }
    return this.bytes.subarray(start, start + length);
  }

  /** @param {number} at */
  #follow(at) {
    return at + this.view.getUint32(at, true);
  }
}

/**
 * A model as a flatbuffer whose weights lie on 16 bytes.
 * @param {Table} model
 * @returns {Uint8Array}
 */
export function packModel(model) {
  let size = 1 << 20;
  for (const { data } of model.buffers) size += (data?.length ?? 0) + 32;
  const builder = new Builder(size);
  return builder.finish(packTable(builder, "Model", model), IDENTIFIER);
}

/**
 * @param {Builder} builder
 * @param {string} table
 * @param {Table} values
 * @returns {number}
 */
function packTable(builder, table, values) {
  if (table === "Buffer") return packBuffer(builder, values);
  const fields = fieldsOf(table);
  const offsets = fields.map((field) =>
    isOffset(field) && values[field.name] !== null
      ? packField(builder, field, values[field.name], values)
      : 0,
  );
  builder.startTable(fields.length ? fields[fields.length - 1].place + 1 : 0);
  fields.forEach((field, i) => {
    if (isOffset(field)) builder.reference(field.place, offsets[i]);
    else {
      const kind = /** @type {Scalar} */ (field.kind);
      builder.number(field.place, kind, values[field.name], field.normal);
    }
  });
  return builder.endTable();
}

/**
 * Data outside of the tables have been moved inside, and an empty list is none.
 * @param {Builder} builder
 * @param {Table} values
 */
function packBuffer(builder, { data }) {
  const list = data?.length ? builder.numbers(data, WEIGHT_ALIGNMENT) : 0;
  builder.startTable(3);
  builder.reference(0, list);
  return builder.endTable();
}

/** @param {Field} field */
function isOffset({ kind, listed }) {
  return listed || !(kind in SIZES);
}

/**
 * @param {Builder} builder
 * @param {Field} field
 * @param {any} value
 * @param {Table} table that it is in, for the number of a union
 * @returns {number}
 */
function packField(builder, { name, kind, listed }, value, table) {
  if (listed && kind in SIZES) return builder.numbers(value);
  const pack = (/** @type {any} */ one) => {
    if (kind === "str") return builder.string(one);
    const own = kind in UNIONS ? member(kind, table[`${name}Type`]) : kind;
    return own === null ? 0 : packTable(builder, own, one);
  };
  return listed ? builder.offsets(value.map(pack)) : pack(value);
}
