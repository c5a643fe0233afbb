/** The pictures as an archive with a folder for each class, as `whatsit train` takes it. */

import { storedZip } from "../zip.js";

/** @typedef {{name: string, pictures: {bytes: Uint8Array, type: string}[]}} Filed */

const LEAST_DIGITS = 3;
const MOST_LETTERS = 60; // of a name: some systems take no path above 260
const ENDINGS = new Map([
  ["image/jpeg", "jpg"],
  ["image/png", "png"],
  ["image/webp", "webp"],
  ["image/bmp", "bmp"],
  ["image/gif", "gif"],
  ["image/tiff", "tif"],
]);
// What Windows keeps for devices, with any ending.
const RESERVED = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * @param {Filed[]} classes
 * @returns {Uint8Array}
 */
export function archive(classes) {
  const files = new Map();
  pathsOf(classes).forEach((paths, i) => {
    paths.forEach((path, k) => files.set(path, classes[i].pictures[k].bytes));
  });
  return storedZip(files);
}

/**
 * The path of each picture of each class: `daisy/daisy-001.jpg`.
 * @param {{name: string, pictures: {type: string}[]}[]} classes
 * @returns {string[][]}
 */
export function pathsOf(classes) {
  const folders = folderNames(classes.map(({ name }) => name));
  return classes.map(({ pictures }, i) => {
    const digits = Math.max(LEAST_DIGITS, String(pictures.length).length);
    return pictures.map(({ type }, k) => {
      const number = String(k + 1).padStart(digits, "0");
      return `${folders[i]}/${folders[i]}-${number}.${ENDINGS.get(type) ?? "jpg"}`;
    });
  });
}

/**
 * Names of folders that every system takes and tells apart, as near to the classes' as can be.
 * @param {string[]} names
 * @returns {string[]}
 */
export function folderNames(names) {
  /** @type {Set<string>} */
  const taken = new Set();
  return names.map((name) => {
    const plain = safeName(name);
    let unique = plain;
    for (let k = 2; taken.has(unique.toLowerCase()); k++) unique = `${plain} ${k}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}

/**
 * A name that every system takes for a file or folder.
 * @param {string} name
 * @param {string} [otherwise] for one of which nothing is left
 */
export function safeName(name, otherwise = "class") {
  const letters = name
    .normalize("NFC")
    .replace(/[\p{C}<>:"/\\|?*]/gu, "-")
    .replace(/\s+/gu, " ")
    .trim();
  const short = Array.from(letters).slice(0, MOST_LETTERS).join("");
  const plain = short.replace(/^[. ]+/, "").replace(/[. ]+$/, "");
  if (!/[\p{L}\p{N}]/u.test(plain)) return otherwise;
  return RESERVED.test(plain) ? `${plain.replace(".", "-")}_` : plain;
}
