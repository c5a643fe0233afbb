/** Flatbuffers read in place, as whatsit._flatbuffer does: tables by position, fields by number. */

import { damaged, GET_IT_AGAIN } from "./errors.js";

const MAX_TABLES = 1 << 16; // in one list: the largest graphs have some thousand tensors
const LEAST_BUDGET_BYTES = 16 << 20;

/** A table that cannot be read; `reading` makes a WhatsitError of it. */
export class Broken extends Error {}

/** @typedef {"b" | "B" | "H" | "i" | "I" | "f" | "q" | "Q"} Code the letters of Python's struct */

/** @type {Record<Code, [bytes: number, read: (view: DataView, position: number) => number]>} */
const TYPES = {
  b: [1, (view, at) => view.getInt8(at)],
  B: [1, (view, at) => view.getUint8(at)],
  H: [2, (view, at) => view.getUint16(at, true)],
  i: [4, (view, at) => view.getInt32(at, true)],
  I: [4, (view, at) => view.getUint32(at, true)],
  f: [4, (view, at) => view.getFloat32(at, true)],
  q: [8, (view, at) => Number(view.getBigInt64(at, true))],
  Q: [8, (view, at) => Number(view.getBigUint64(at, true))],
};

/**
 * What is read of one buffer. All that is copied out of it is counted, since a small file may name
 * one long list a thousand times.
 */
class Source {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.leftBytes = Math.max(LEAST_BUDGET_BYTES, 2 * bytes.length);
  }

  /** @param {number} bytes */
  spend(bytes) {
    this.leftBytes -= bytes;
    if (this.leftBytes < 0) throw new Broken("the same lists are named again and again");
  }
}

/** One flatbuffer table. DataView throws a RangeError for a position outside the file. */
export class Node {
  #source;
  #position;
  #vtable;

  /**
   * @param {Source} source
   * @param {number} position
   */
  constructor(source, position) {
    this.#source = source;
    this.#position = position;
    this.#vtable = position - this.#unpack("i", position);
  }

  /**
   * @param {Uint8Array} bytes
   * @returns {Node}
   */
  static root(bytes) {
    const source = new Source(bytes);
    return new Node(source, source.view.getUint32(0, true));
  }

  /**
   * A copy of the whole buffer with other int32 `numbers` in a list that this table has. They
   * stand behind everything else, on 4 bytes, so no other position changes.
   * @param {number} field
   * @param {readonly number[]} numbers
   * @returns {Uint8Array}
   */
  withNumbers(field, numbers) {
    const position = this.#field(field);
    if (position === 0) throw new Broken(`no field ${field}`);
    this.#unpack("I", position);
    const { bytes } = this.#source;
    const start = Math.ceil(bytes.length / 4) * 4;
    const copy = new Uint8Array(start + 4 + 4 * numbers.length);
    copy.set(bytes);
    const view = new DataView(copy.buffer);
    view.setUint32(position, start - position, true);
    view.setUint32(start, numbers.length, true);
    numbers.forEach((number, index) => view.setInt32(start + 4 + 4 * index, number, true));
    return copy;
  }

  /**
   * A number of this table, 0 where the table does not have it.
   * @param {number} field
   * @param {Code} code
   * @returns {number}
   */
  number(field, code) {
    const position = this.#field(field);
    return position === 0 ? 0 : this.#unpack(code, position);
  }

  /**
   * @param {number} field
   * @returns {string}
   */
  text(field) {
    const bytes = this.bytes(field);
    this.#source.spend(bytes.length);
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  }

  /**
   * Whether a text of this table is `ascii`, told without decoding a long one.
   * @param {number} field
   * @param {string} ascii
   * @returns {boolean}
   */
  says(field, ascii) {
    const [start, length] = this.#list(field, 1);
    if (length !== ascii.length) return false;
    const bytes = this.#source.bytes.subarray(start, start + length);
    return String.fromCharCode(...bytes) === ascii;
  }

  /**
   * The bytes of a list, not copied.
   * @param {number} field
   * @returns {Uint8Array}
   */
  bytes(field) {
    const [start, length] = this.#list(field, 1);
    return this.#source.bytes.subarray(start, start + length);
  }

  /**
   * @param {number} field
   * @param {Code} code
   * @returns {number[]}
   */
  numbers(field, code) {
    const [size, read] = TYPES[code];
    const [start, length] = this.#list(field, size);
    this.#source.spend(length * size);
    return Array.from({ length }, (_, index) => read(this.#source.view, start + size * index));
  }

  /**
   * @param {number} field
   * @returns {Node | null}
   */
  node(field) {
    const position = this.#field(field);
    return position === 0 ? null : new Node(this.#source, this.#follow(position));
  }

  /**
   * @param {number} field
   * @returns {Node[]}
   */
  nodes(field) {
    const [start, length] = this.#list(field, 4);
    if (length > MAX_TABLES) throw new Broken(`a list of ${length} tables`);
    this.#source.spend(4 * length);
    return Array.from(
      { length },
      (_, index) => new Node(this.#source, this.#follow(start + 4 * index)),
    );
  }

  /**
   * @param {Code} code
   * @param {number} position
   * @returns {number}
   */
  #unpack(code, position) {
    return TYPES[code][1](this.#source.view, position);
  }

  /**
   * @param {number} position
   * @returns {number}
   */
  #follow(position) {
    return position + this.#unpack("I", position);
  }

  /**
   * The position of a field's value, or 0 if the table does not have it.
   * @param {number} field
   * @returns {number}
   */
  #field(field) {
    const slot = 4 + 2 * field;
    if (slot >= this.#unpack("H", this.#vtable)) return 0;
    const offset = this.#unpack("H", this.#vtable + slot);
    return offset === 0 ? 0 : this.#position + offset;
  }

  /**
   * Where the items of a list begin, and how many there are.
   * @param {number} field
   * @param {number} itemBytes
   * @returns {[start: number, length: number]}
   */
  #list(field, itemBytes) {
    const position = this.#field(field);
    if (position === 0) return [0, 0];
    const start = this.#follow(position);
    const length = this.#unpack("I", start);
    if (start + 4 + length * itemBytes > this.#source.bytes.length) {
      throw new Broken(`a list of ${length} reaches beyond the end of the file`);
    }
    return [start + 4, length];
  }
}

/**
 * What `read` returns; what it throws of a damaged flatbuffer becomes model-damaged.
 * @template Value
 * @param {() => Value} read
 * @returns {Value}
 */
export function reading(read) {
  try {
    return read();
  } catch (error) {
    // A RangeError is DataView's, for a position outside the file.
    if (!(error instanceof Broken || error instanceof RangeError)) throw error;
    const message = "the model's tables cannot be read: the file is damaged or cut short";
    throw damaged(message, { hint: GET_IT_AGAIN });
  }
}

/**
 * The item of a list, from its end for a negative index as Python counts.
 * @template Item
 * @param {readonly Item[]} items
 * @param {number} index
 * @returns {Item}
 */
export function itemAt(items, index) {
  const item = items.at(index);
  if (item === undefined) throw new Broken(`no item ${index}`);
  return item;
}
