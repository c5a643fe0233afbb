/**
 * Builds a flatbuffer from its end to its start, in the order and with the padding of the Python
 * library `flatbuffers`, so that the same tables give the same bytes there and here.
 */

const ENCODER = new TextEncoder();

/**
 * @typedef {"bool"|"i8"|"u8"|"i16"|"u16"|"i32"|"u32"|"i64"|"u64"|"f32"|"f64"} Scalar
 * @typedef {Int8Array|Uint8Array|Int16Array|Uint16Array|Int32Array|Uint32Array|BigInt64Array
 *   |BigUint64Array|Float32Array|Float64Array} Numbers
 */

/** @type {Record<Scalar, number>} */
export const SIZES = {
  bool: 1, i8: 1, u8: 1, i16: 2, u16: 2, i32: 4, u32: 4, i64: 8, u64: 8, f32: 4, f64: 8,
};

/** @type {Record<Scalar, (view: DataView, at: number, value: any) => void>} */
const WRITE = {
  bool: (view, at, value) => view.setUint8(at, value ? 1 : 0),
  i8: (view, at, value) => view.setInt8(at, value),
  u8: (view, at, value) => view.setUint8(at, value),
  i16: (view, at, value) => view.setInt16(at, value, true),
  u16: (view, at, value) => view.setUint16(at, value, true),
  i32: (view, at, value) => view.setInt32(at, value, true),
  u32: (view, at, value) => view.setUint32(at, value, true),
  i64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  u64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  f32: (view, at, value) => view.setFloat32(at, value, true),
  f64: (view, at, value) => view.setFloat64(at, value, true),
};

/** Positions that it gives are counted from the end, as long as nothing is finished. */
export class Builder {
  /** @param {number} size of the bytes to begin with; it grows */
  constructor(size = 1024) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
    this.head = size;
    this.alignment = 1;
    /** @type {Map<string, number>} */
    this.vtables = new Map();
    /** @type {number[]} */
    this.slots = [];
    this.objectEnd = 0;
  }

  /** How much is written. */
  get offset() {
    return this.bytes.length - this.head;
  }

  /**
   * Makes room for a value of `size` bytes that stands aligned before `additional` others.
   * @param {number} size
   * @param {number} additional
   */
  prepare(size, additional) {
    this.alignment = Math.max(this.alignment, size);
    const padding = -(this.offset + additional) & (size - 1);
    while (this.head < padding + size + additional) this.#grow();
    this.head -= padding; // what is new is zeros
  }

  /**
   * @param {Scalar} kind
   * @param {number | bigint | boolean} value
   */
  prepend(kind, value) {
    this.prepare(SIZES[kind], 0);
    this.#place(kind, value);
  }

  /** @param {number} offset of what it leads to */
  prependOffset(offset) {
    this.prepare(4, 0);
    this.#place("u32", this.offset - offset + 4);
  }

  /**
   * @param {string} text
   * @returns {number}
   */
  string(text) {
    const content = ENCODER.encode(text);
    this.prepare(4, content.length + 1);
    this.head -= 1;
    this.#put(content);
    return this.#counted(content.length);
  }

  /**
   * A list of numbers.
   * @param {Numbers} values
   * @param {number} [alignment] in bytes; by default that of its numbers
   * @returns {number}
   */
  numbers(values, alignment = values.BYTES_PER_ELEMENT) {
    this.prepare(4, values.byteLength);
    this.prepare(alignment, values.byteLength);
    this.#put(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return this.#counted(values.length);
  }

  /**
   * A list of tables or strings.
   * @param {number[]} offsets
   * @returns {number}
   */
  offsets(offsets) {
    this.prepare(4, 4 * offsets.length);
    for (const offset of [...offsets].reverse()) this.prependOffset(offset);
    return this.#counted(offsets.length);
  }

  /** @param {number} fields */
  startTable(fields) {
    this.slots = new Array(fields).fill(0);
    this.objectEnd = this.offset;
  }

  /**
   * @param {number} field
   * @param {Scalar} kind
   * @param {number | bigint | boolean} value
   * @param {number} normal which is not written
   */
  number(field, kind, value, normal = 0) {
    if (Number(value) === normal) return;
    this.prepend(kind, value);
    this.slots[field] = this.offset;
  }

  /**
   * @param {number} field
   * @param {number} offset 0 for none
   */
  reference(field, offset) {
    if (offset === 0) return;
    this.prependOffset(offset);
    this.slots[field] = this.offset;
  }

  /** @returns {number} */
  endTable() {
    this.prepend("i32", 0);
    const table = this.offset;
    const used = this.slots.findLastIndex((slot) => slot !== 0) + 1;
    const places = this.slots.slice(0, used).map((slot) => (slot === 0 ? 0 : table - slot));
    const key = [table - this.objectEnd, ...places].join();
    let vtable = this.vtables.get(key);
    if (vtable === undefined) {
      for (const place of [...places].reverse()) this.prepend("u16", place);
      this.prepend("u16", table - this.objectEnd);
      this.prepend("u16", 2 * (used + 2));
      vtable = this.offset;
      this.vtables.set(key, vtable);
    }
    this.view.setInt32(this.bytes.length - table, vtable - table, true);
    return table;
  }

  /**
   * @param {number} root
   * @param {string} identifier of four letters
   * @returns {Uint8Array}
   */
  finish(root, identifier) {
    this.prepare(this.alignment, 8);
    this.prepare(4, 4);
    this.#put(ENCODER.encode(identifier));
    this.prependOffset(root);
    return this.bytes.slice(this.head);
  }

  /** @param {number} count */
  #counted(count) {
    this.#place("u32", count);
    return this.offset;
  }

  /**
   * @param {Scalar} kind
   * @param {number | bigint | boolean} value
   */
  #place(kind, value) {
    this.head -= SIZES[kind];
    WRITE[kind](this.view, this.head, value);
  }

  /** @param {Uint8Array} content */
  #put(content) {
    this.head -= content.length;
    this.bytes.set(content, this.head);
  }

  #grow() {
    const bytes = new Uint8Array(Math.max(16, 2 * this.bytes.length));
    bytes.set(this.bytes, bytes.length - this.bytes.length);
    this.head += bytes.length - this.bytes.length;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}
