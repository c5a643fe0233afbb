/**
 * ZIP archives behind a model or alone: read by the rules of Python's zipfile and of
 * whatsit._metadata.appended_files, written as its `_append_files` does.
 */

import { crc32 } from "./crc32.js";
import { damaged, GET_IT_AGAIN } from "./errors.js";
import { repr, reprBytes } from "./repr.js";
import {
  BadZip,
  DIRECTORY,
  directoryPlace,
  END,
  entriesIn,
  nameOf,
  UTF8_NAME,
} from "./zip_directory.js";

/** @typedef {import("./zip_directory.js").Entry} Entry */

const MAX_FILES_BYTES = 16 << 20; // a bomb is refused before it is unpacked
const HEADER = { signature: 0x04034b50, bytes: 30 };
const ENCRYPTED = 1 | (1 << 5) | (1 << 6); // or patched, which nobody reads either
const FIRST_DAY = (1 << 5) | 1; // 1980-01-01, the oldest date that ZIP knows
const UNIX = 3;
const OWNER_READS_AND_WRITES = 0o600 << 16;

/**
 * The stored files appended to a model, and whether there are compressed ones, which are left out.
 * Throws model-damaged.
 * @param {Uint8Array} bytes
 * @returns {{files: Map<string, Uint8Array>, compressed: boolean}}
 */
export function appendedFiles(bytes) {
  try {
    return filesIn(bytes);
  } catch (error) {
    // A RangeError is DataView's, for a position outside the file.
    if (!(error instanceof BadZip || error instanceof RangeError)) throw error;
    const said = error instanceof BadZip ? error.message : "";
    const reason = said || "it is damaged or cut short";
    throw damaged(`the files inside the model cannot be read: ${reason}`, { hint: GET_IT_AGAIN });
  }
}

/**
 * An archive of stored entries, to stand behind `base` bytes of something else: positions count
 * from the start of the whole file, as unzip programs expect. The same files give the same bytes.
 * @param {Map<string, Uint8Array>} files
 * @param {number} base
 * @returns {Uint8Array}
 */
export function storedZip(files, base = 0) {
  const parts = [];
  const directory = [];
  let position = base;
  for (const [name, content] of files) {
    const encoded = new TextEncoder().encode(name);
    const about = entryFields(encoded, name, content);
    const header = fields([[HEADER.signature, 4], ...about, [0, 2]]);
    directory.push(
      fields([
        [DIRECTORY.signature, 4],
        [20, 1],
        [UNIX, 1],
        ...about,
        ...[0, 0, 0, 0].map((zero) => /** @type {[number, number]} */ ([zero, 2])),
        [OWNER_READS_AND_WRITES, 4],
        [position, 4],
      ]),
      encoded,
    );
    parts.push(header, encoded, content);
    position += header.length + encoded.length + content.length;
  }
  const directoryBytes = directory.reduce((sum, part) => sum + part.length, 0);
  const end = fields([
    [END.signature, 4],
    [0, 4],
    [files.size, 2],
    [files.size, 2],
    [directoryBytes, 4],
    [position, 4],
    [0, 2],
  ]);
  return joined([...parts, ...directory, end]);
}

// ── writing ──────────────────────────────────────────────────────────────────────────────────

/**
 * What the entry's own header and the directory both say, from the version to the name's length.
 * @param {Uint8Array} encoded
 * @param {string} name
 * @param {Uint8Array} content
 * @returns {[value: number, bytes: number][]}
 */
function entryFields(encoded, name, content) {
  return [
    [20, 2],
    [encoded.length === name.length ? 0 : UTF8_NAME, 2],
    [0, 2],
    [0, 2],
    [FIRST_DAY, 2],
    [crc32(content), 4],
    [content.length, 4],
    [content.length, 4],
    [encoded.length, 2],
  ];
}

/**
 * @param {[value: number, bytes: number][]} values
 * @returns {Uint8Array}
 */
function fields(values) {
  const bytes = values.flatMap(([value, size]) => {
    if (value >= 2 ** (8 * size)) throw new RangeError(`${value} is too much for this archive`);
    return Array.from({ length: size }, (_, index) => Math.floor(value / 2 ** (8 * index)) & 0xff);
  });
  return Uint8Array.from(bytes);
}

/**
 * @param {Uint8Array[]} parts
 * @returns {Uint8Array}
 */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}

// ── reading ──────────────────────────────────────────────────────────────────────────────────

/**
 * @param {Uint8Array} bytes
 * @returns {{files: Map<string, Uint8Array>, compressed: boolean}}
 */
function filesIn(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const place = directoryPlace(view);
  if (place === null) return { files: new Map(), compressed: false };
  const entries = entriesIn(bytes, place).filter((entry) => !entry.name.endsWith("/"));
  if (entries.reduce((sum, entry) => sum + entry.bytes, 0) > MAX_FILES_BYTES) {
    const expected = "16 MiB";
    const message = "the files inside the model are too large";
    throw damaged(message, { expected });
  }
  /** @type {Map<string, Uint8Array>} */
  const files = new Map();
  for (const entry of entries) {
    const content = contentOf(entry, bytes, view);
    if (!entry.packed) files.set(entry.name, content);
  }
  return { files, compressed: entries.some((entry) => entry.packed) };
}

/**
 * The content of a stored entry, checked; of a compressed one only the header is.
 * @param {Entry} entry
 * @param {Uint8Array} bytes
 * @param {DataView} view
 * @returns {Uint8Array}
 */
function contentOf(entry, bytes, view) {
  const { start, packedBytes } = entry;
  if (start < 0) throw new BadZip();
  if (start + HEADER.bytes > bytes.length) throw new BadZip("Truncated file header");
  if (view.getUint32(start, true) !== HEADER.signature) {
    throw new BadZip("Bad magic number for file header");
  }
  const nameStart = start + HEADER.bytes;
  const extraStart = nameStart + view.getUint16(start + 26, true);
  const dataStart = extraStart + view.getUint16(start + 28, true);
  const written = bytes.subarray(nameStart, extraStart);
  if (!isName(written, view.getUint16(start + 6, true), entry.wholeName)) {
    const names = `directory ${repr(entry.wholeName)} and header ${reprBytes(written)}`;
    throw new BadZip(`File name in ${names} differ.`);
  }
  if ((entry.flags & ENCRYPTED) !== 0 || !entry.known) throw new BadZip();
  const there = Math.min(packedBytes, bytes.length - dataStart);
  if (packedBytes > 0 && there <= 0) throw new BadZip();
  if (there < packedBytes && there < entry.bytes) throw new BadZip();
  const content = bytes.subarray(dataStart, dataStart + Math.min(there, entry.bytes));
  if (!entry.packed && crc32(content) !== entry.crc) {
    throw new BadZip(`Bad CRC-32 for file ${repr(entry.name)}`);
  }
  return content;
}

/**
 * Whether these bytes are this name. A thousand entries may share one long name in a header, so
 * what is too long for it (UTF-8 has three bytes at most for each UTF-16 unit) is not decoded.
 * @param {Uint8Array} bytes
 * @param {number} flags
 * @param {string} name
 * @returns {boolean}
 */
function isName(bytes, flags, name) {
  return bytes.length <= 3 * name.length && nameOf(bytes, flags) === name;
}
