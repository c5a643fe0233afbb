/** What the first bytes of a picture tell: its kind, and its size before any pixel is decoded. */

/** @typedef {[width: number, height: number]} Size */
/** @typedef {(view: DataView, bytes: Uint8Array) => Size | null} Reader */

/** As whatsit.images has them: kind, the bytes that tell, and where they stand. */
const MAGIC = /** @type {[string, string, number][]} */ ([
  ["JPEG", "\xff\xd8\xff", 0],
  ["PNG", "\x89PNG\r\n\x1a\n", 0],
  ["GIF", "GIF8", 0],
  ["WEBP", "WEBP", 8],
  ["BMP", "BM", 0],
  ["TIFF", "II*\0", 0],
  ["TIFF", "MM\0*", 0],
  ["TIFF", "II+\0", 0],
  ["TIFF", "MM\0+", 0],
  ["ICO", "\0\0\x01\0", 0],
  ["JPEG2000", "jP  \r\n\x87\n", 4],
  ["JPEG2000", "\xff\x4f\xff\x51", 0],
  ["QOI", "qoif", 0],
  ["AVIF", "ftypavif", 4],
  ["AVIF", "ftypavis", 4],
  ...["1", "2", "3", "4", "5", "6"].map((digit) => ["PPM", `P${digit}`, 0]),
  ...["heic", "heix", "heim", "heis", "hevc", "mif1", "msf1"].map((brand) => {
    return ["HEIF", `ftyp${brand}`, 4];
  }),
]);

/** @type {Record<string, Reader>} */
const SIZES = {
  JPEG: jpegSize,
  PNG: (view) => [view.getUint32(16), view.getUint32(20)],
  GIF: (view) => [view.getUint16(6, true), view.getUint16(8, true)],
  WEBP: webpSize,
  BMP: bmpSize,
};
const BOX_SEARCHED_BYTES = 1 << 16; // of AVIF and HEIC: their sizes stand before the pixels

/**
 * The kind of picture that begins with these bytes, null for none that is known.
 * @param {Uint8Array} bytes
 * @returns {string | null}
 */
export function kindOf(bytes) {
  const head = String.fromCharCode(...bytes.subarray(0, 16));
  return MAGIC.find(([, magic, offset]) => head.startsWith(magic, offset))?.[0] ?? null;
}

/**
 * Width and height as the header says; null where it says nothing that can be read.
 * @param {string} kind
 * @param {Uint8Array} bytes
 * @returns {Size | null}
 */
export function sizeOf(kind, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return (SIZES[kind] ?? boxedSize)(view, bytes);
  } catch (error) {
    if (error instanceof RangeError) return null; // cut short
    throw error;
  }
}

/**
 * Whether `sizeOf` knows all pictures of this kind, so that one without a size is damaged.
 * @param {string} kind
 * @returns {boolean}
 */
export function hasSize(kind) {
  return kind in SIZES;
}

/** @type {Reader} */
function jpegSize(view) {
  for (const { marker, start } of jpegSegments(view)) {
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) return [view.getUint16(start + 3), view.getUint16(start + 1)];
  }
  return null;
}

/**
 * The segments before the pixels: what each holds begins at `start` and ends before `end`.
 * @param {DataView} view
 * @returns {Generator<{marker: number, start: number, end: number}>}
 */
export function* jpegSegments(view) {
  let at = 2;
  while (at + 4 <= view.byteLength) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff || marker === 0xff) {
      at += 1; // fill bytes
      continue;
    }
    if (marker === 0xda || marker === 0xd9) return;
    const bare = marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd8);
    const length = bare ? 0 : view.getUint16(at + 2);
    if (!bare) yield { marker, start: at + 4, end: at + 2 + length };
    at += 2 + length;
  }
}

/** @type {Reader} */
function webpSize(view, bytes) {
  const chunk = String.fromCharCode(...bytes.subarray(12, 16));
  if (chunk === "VP8X") return [uint24(view, 24) + 1, uint24(view, 27) + 1];
  if (chunk === "VP8L") {
    const bits = view.getUint32(21, true);
    return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  }
  if (chunk !== "VP8 ") return null;
  return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
}

/**
 * @param {DataView} view
 * @param {number} at
 * @returns {number}
 */
function uint24(view, at) {
  return view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
}

/** @type {Reader} */
function bmpSize(view) {
  const old = view.getUint32(14, true) === 12;
  if (old) return [view.getUint16(18, true), view.getUint16(20, true)];
  return [Math.abs(view.getInt32(18, true)), Math.abs(view.getInt32(22, true))];
}

/**
 * The largest size that a box of AVIF or HEIC names.
 * @type {Reader}
 */
function boxedSize(view, bytes) {
  /** @type {Size | null} */
  let found = null;
  const end = Math.min(bytes.length, BOX_SEARCHED_BYTES) - 16;
  for (let at = 4; at <= end; at += 1) {
    if (view.getUint32(at) !== 0x69737065) continue; // ispe
    const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (found === null || width * height > found[0] * found[1]) found = [width, height];
  }
  return found;
}
