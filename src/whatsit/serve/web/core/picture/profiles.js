/**
 * Takes out of a PNG what its colours mean: Python goes by the plain numbers, and so does the app,
 * but WebKit converts them even where it is asked not to.
 */

const FIRST = 8; // where the chunks begin
const AROUND = 12; // bytes of a chunk besides what it holds: its length, name and checksum
const COLOURS = new Set(["iCCP", "gAMA", "cHRM", "sRGB", "cICP", "mDCV", "cLLI"]);

/**
 * The same file without its colour profile; any other kind as it is.
 * @param {string} kind
 * @param {Uint8Array} bytes
 * @returns {Uint8Array}
 */
export function withoutProfile(kind, bytes) {
  if (kind !== "PNG") return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const plain = new Uint8Array(bytes.length);
  let kept = 0; // bytes of the file that were dealt with
  let length = 0; // of `plain`
  for (let at = FIRST; at + AROUND <= bytes.length; ) {
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === "IDAT") break; // they stand before the pixels
    const end = at + AROUND + view.getUint32(at);
    if (COLOURS.has(name)) {
      plain.set(bytes.subarray(kept, at), length);
      length += at - kept;
      kept = end;
    }
    at = end;
  }
  if (kept === 0 || kept > bytes.length) return bytes;
  plain.set(bytes.subarray(kept), length);
  return plain.subarray(0, length + bytes.length - kept);
}
