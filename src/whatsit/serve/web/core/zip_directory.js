/** The list at the end of a ZIP archive of what is in it, read by the rules of Python's zipfile. */

export const END = { signature: 0x06054b50, bytes: 22 };
export const DIRECTORY = { signature: 0x02014b50, bytes: 46 };
export const UTF8_NAME = 1 << 11;
const END_64 = { signature: 0x06064b50, bytes: 56 };
const LOCATOR_64 = { signature: 0x07064b50, bytes: 20 };
const LONGEST_COMMENT_BYTES = 1 << 16;
const NEWEST_VERSION = 63; // of the format, as zipfile has it
const FULL = 0xffffffff; // the true number stands in the extra field
/** The names of files from before ZIP knew UTF-8: code page 437, from 128. */
const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
  "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** An archive that cannot be read. An empty reason: Python's words would speak of Python. */
export class BadZip extends Error {}

/**
 * @typedef {{name: string, wholeName: string, flags: number, packed: boolean, known: boolean,
 *   crc: number, packedBytes: number, bytes: number, start: number}} Entry
 */
/** @typedef {{start: number, bytes: number, moved: number}} Place of the list of all entries */

/**
 * Where the directory stands, by the record at the end; null where there is none, so no archive.
 * @param {DataView} view
 * @returns {Place | null}
 */
export function directoryPlace(view) {
  const end = endOf(view);
  if (end === null) return null;
  const long = end64Of(view, end);
  const size = long === null ? view.getUint32(end + 12, true) : number64(view, long + 40);
  const offset = long === null ? view.getUint32(end + 16, true) : number64(view, long + 48);
  const start = end - size - (long === null ? 0 : END_64.bytes + LOCATOR_64.bytes);
  if (start < 0) throw new BadZip("Bad offset for central directory");
  return { start, bytes: size, moved: start - offset };
}

/**
 * The position of the end record: the last one, before a comment of 64 KiB at most.
 * @param {DataView} view
 * @returns {number | null}
 */
function endOf(view) {
  const last = view.byteLength - END.bytes;
  if (last < 0) return null;
  if (view.getUint32(last, true) === END.signature && view.getUint16(last + 20, true) === 0) {
    return last;
  }
  const first = Math.max(last - LONGEST_COMMENT_BYTES, 0);
  for (let position = view.byteLength - 4; position >= first; position -= 1) {
    if (view.getUint32(position, true) === END.signature) return position > last ? null : position;
  }
  return null;
}

/**
 * The position of the ZIP64 end record, where there is one before its locator and `end`.
 * @param {DataView} view
 * @param {number} end
 * @returns {number | null}
 */
function end64Of(view, end) {
  const locator = Math.max(end - LOCATOR_64.bytes, 0);
  if (view.getUint32(locator, true) !== LOCATOR_64.signature) return null;
  if (view.getUint32(locator + 4, true) !== 0 || view.getUint32(locator + 16, true) > 1) {
    throw new BadZip("zipfiles that span multiple disks are not supported");
  }
  const position = Math.max(locator - END_64.bytes, 0);
  return view.getUint32(position, true) === END_64.signature ? position : null;
}

/**
 * @param {Uint8Array} bytes
 * @param {Place} place
 * @returns {Entry[]}
 */
export function entriesIn(bytes, place) {
  const directory = bytes.subarray(place.start, place.start + place.bytes);
  const view = new DataView(directory.buffer, directory.byteOffset, directory.byteLength);
  const entries = [];
  let position = 0;
  while (position < place.bytes) {
    if (position + DIRECTORY.bytes > directory.length) {
      throw new BadZip("Truncated central directory");
    }
    if (view.getUint32(position, true) !== DIRECTORY.signature) {
      throw new BadZip("Bad magic number for central directory");
    }
    entries.push(entryAt(directory, view, position, place.moved));
    const lengths = [28, 30, 32].map((field) => view.getUint16(position + field, true));
    position += lengths.reduce((sum, length) => sum + length, DIRECTORY.bytes);
  }
  return entries;
}

/**
 * @param {Uint8Array} directory
 * @param {DataView} view
 * @param {number} position
 * @param {number} moved
 * @returns {Entry}
 */
function entryAt(directory, view, position, moved) {
  const flags = view.getUint16(position + 8, true);
  const method = view.getUint16(position + 10, true);
  const nameStart = position + DIRECTORY.bytes;
  const extraStart = nameStart + view.getUint16(position + 28, true);
  const extraEnd = extraStart + view.getUint16(position + 30, true);
  const wholeName = nameOf(directory.subarray(nameStart, extraStart), flags);
  if (view.getUint8(position + 6) > NEWEST_VERSION) throw new BadZip();
  const sizes = longSizes(directory.subarray(extraStart, extraEnd), {
    bytes: view.getUint32(position + 24, true),
    packedBytes: view.getUint32(position + 20, true),
    start: view.getUint32(position + 42, true),
  });
  const name = wholeName.split("\0", 1)[0];
  return {
    ...sizes,
    start: sizes.start + moved,
    name,
    wholeName,
    flags,
    packed: method !== 0,
    known: [0, 8, 12, 14].includes(method), // stored, deflate, bzip2, LZMA
    crc: view.getUint32(position + 16, true),
  };
}

/**
 * The sizes and the position of an entry, with those that its extra field has on 64 bits.
 * @param {Uint8Array} extra
 * @param {{bytes: number, packedBytes: number, start: number}} short
 * @returns {{bytes: number, packedBytes: number, start: number}}
 */
function longSizes(extra, short) {
  const sizes = { ...short };
  const view = new DataView(extra.buffer, extra.byteOffset, extra.byteLength);
  let position = 0;
  while (position + 4 <= extra.length) {
    const kind = view.getUint16(position, true);
    const length = view.getUint16(position + 2, true);
    const end = position + 4 + length;
    if (end > extra.length) {
      const code = kind.toString(16).padStart(4, "0");
      throw new BadZip(`Corrupt extra field ${code} (size=${length})`);
    }
    if (kind === 1) readLongSizes(view, position + 4, end, sizes);
    position = end;
  }
  return sizes;
}

/**
 * @param {DataView} view
 * @param {number} start
 * @param {number} end
 * @param {{bytes: number, packedBytes: number, start: number}} sizes
 */
function readLongSizes(view, start, end, sizes) {
  let position = start;
  for (const [key, title] of /** @type {const} */ ([
    ["bytes", "File size"],
    ["packedBytes", "Compress size"],
    ["start", "Header offset"],
  ])) {
    if (sizes[key] !== FULL) continue;
    if (position + 8 > end) throw new BadZip(`Corrupt zip64 extra field. ${title} not found.`);
    sizes[key] = number64(view, position);
    position += 8;
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} flags
 * @returns {string}
 */
export function nameOf(bytes, flags) {
  if (flags & UTF8_NAME) return textOf(bytes);
  return Array.from(bytes, (code) => {
    return code < 128 ? String.fromCharCode(code) : CP437[code - 128];
  }).join("");
}

/**
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new BadZip();
  }
}

/**
 * @param {DataView} view
 * @param {number} position
 * @returns {number}
 */
function number64(view, position) {
  return Number(view.getBigUint64(position, true));
}
