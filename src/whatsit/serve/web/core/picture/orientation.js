/** How a picture is turned, as its EXIF says: the `_orientation` of whatsit.images. */

import { jpegSegments } from "./header.js";

/** @typedef {{value: number, at: number, bytes: number}} Found */

const TAG = 0x0112;
const EXIF = "Exif\0\0";
/** The type of a TIFF entry → how many bytes its value has. */
const SIZES = new Map([
  [1, 1],
  [3, 2],
  [4, 4],
]);

/**
 * From 1 (upright) to 8, and the same file without it, so that no decoder turns it as well.
 * @param {string} kind
 * @param {Uint8Array} bytes
 * @returns {{orientation: number, plain: Uint8Array}}
 */
export function takeOrientation(kind, bytes) {
  const found = find(kind, bytes);
  if (found === null || found.value < 2 || found.value > 8) return { orientation: 1, plain: bytes };
  const plain = bytes.slice();
  // The value 0 asks for nothing. The checksum of PNG's chunk is then wrong, and it is skipped.
  plain.fill(0, found.at, found.at + found.bytes);
  return { orientation: found.value, plain };
}

/**
 * @param {string} kind
 * @param {Uint8Array} bytes
 * @returns {Found | null}
 */
function find(kind, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const start = exifStart(kind, view);
    return start === null ? null : entry(view, start);
  } catch (error) {
    if (error instanceof RangeError) return null; // damaged EXIF matters less than the pixels
    throw error;
  }
}

/**
 * Where the TIFF header of the EXIF stands.
 * @param {string} kind
 * @param {DataView} view
 * @returns {number | null}
 */
function exifStart(kind, view) {
  if (kind === "JPEG") {
    for (const { marker, start } of jpegSegments(view)) {
      if (marker === 0xe1 && hasText(view, start, EXIF)) return start + EXIF.length;
    }
  }
  if (kind === "PNG") return pngExif(view);
  if (kind === "WEBP") return webpExif(view);
  return null;
}

/**
 * @param {DataView} view
 * @returns {number | null}
 */
function pngExif(view) {
  for (let at = 8; at + 8 <= view.byteLength; at += view.getUint32(at) + 12) {
    if (hasText(view, at + 4, "eXIf")) return at + 8;
  }
  return null;
}

/**
 * @param {DataView} view
 * @returns {number | null}
 */
function webpExif(view) {
  let at = 12;
  while (at + 8 <= view.byteLength) {
    if (hasText(view, at, "EXIF")) return at + 8 + (hasText(view, at + 8, EXIF) ? EXIF.length : 0);
    const length = view.getUint32(at + 4, true);
    at += 8 + length + (length % 2);
  }
  return null;
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {string} text
 * @returns {boolean}
 */
function hasText(view, at, text) {
  if (at + text.length > view.byteLength) return false;
  return Array.from(text).every((sign, i) => view.getUint8(at + i) === sign.charCodeAt(0));
}

/**
 * The entry of the orientation in the first directory.
 * @param {DataView} view
 * @param {number} start of the TIFF header
 * @returns {Found | null}
 */
function entry(view, start) {
  const order = view.getUint16(start);
  if (order !== 0x4949 && order !== 0x4d4d) return null;
  const little = order === 0x4949;
  const directory = start + view.getUint32(start + 4, little);
  const count = view.getUint16(directory, little);
  for (let i = 0; i < count; i += 1) {
    const at = directory + 2 + i * 12;
    if (view.getUint16(at, little) !== TAG) continue;
    const bytes = SIZES.get(view.getUint16(at + 2, little));
    if (bytes === undefined || view.getUint32(at + 4, little) !== 1) return null;
    return { value: number(view, at + 8, bytes, little), at: at + 8, bytes };
  }
  return null;
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {number} bytes
 * @param {boolean} little
 * @returns {number}
 */
function number(view, at, bytes, little) {
  if (bytes === 1) return view.getUint8(at);
  return bytes === 2 ? view.getUint16(at, little) : view.getUint32(at, little);
}
