/** A verdict in words: what a person is told above the rows. */

import { WORDS } from "./words.js";

const FEW = 3; // classes that are named; more are counted

/**
 * `names`: the classes that the words are about; null if they are about none.
 *
 * @typedef {{kind: "sure"|"ambiguous"|"unknown"|"none", headline: string, detail: string,
 *   names: string[]|null}} Said
 */

/** Where the frames of a moving picture do not agree. @type {Said} */
export const HARD = { kind: "ambiguous", headline: WORDS.verdict.hard, detail: "", names: null };

/**
 * @param {import("./types.js").Result} result
 * @returns {Said}
 */
export function said(result) {
  const best = result.predictions[0]?.label ?? "";
  if (result.verdict === "unknown") {
    const { unknown: headline, unknownText: detail } = WORDS.verdict;
    return { kind: "unknown", headline, detail, names: null };
  }
  if (result.verdict === "sure") {
    const detail = result.set === null ? WORDS.verdict.clear : WORDS.verdict.sure;
    return { kind: "sure", headline: upper(best), detail, names: [best] };
  }
  if (result.set === null) return uncalibrated(result);
  return { kind: "ambiguous", ...ambiguous(result, result.set), names: [best, ...result.set] };
}

/**
 * Whether words may stand above a row with this label.
 *
 * @param {Said} told
 * @param {string} label
 */
export function agrees({ names }, label) {
  return names === null || names.includes(label);
}

/**
 * The whole of it as one sentence, for those who hear it.
 *
 * @param {Said} told
 */
export function sentence(told) {
  if (told.kind === "sure" || told.kind === "none") return `${told.headline}.`;
  return `${told.headline}: ${told.detail}.`.replace(/:\.$/, ".");
}

/**
 * @param {import("./types.js").Result} result
 * @returns {Said}
 */
function uncalibrated({ predictions }) {
  const names = predictions.slice(0, 2).map(({ label }) => label);
  const headline = upper(either(names));
  return { kind: "ambiguous", headline, detail: WORDS.verdict.close, names };
}

/**
 * What the likely classes have in common, and what is likelier than not.
 *
 * @param {import("./types.js").Result} result
 * @param {string[]} likely
 * @returns {{headline: string, detail: string}}
 */
function ambiguous({ broader, probably }, likely) {
  const named =
    likely.length === 0
      ? WORDS.verdict.noneLikely
      : likely.length <= FEW
        ? either(likely)
        : WORDS.verdict.oneOf(likely.length);
  if (broader && probably) {
    const headline = `${article(broader.label)}, ${WORDS.verdict.probably(probably.label)}`;
    return { headline, detail: named };
  }
  if (broader) return { headline: article(broader.label), detail: named };
  if (probably) return { headline: upper(WORDS.verdict.probably(probably.label)), detail: named };
  if (likely.length > 0 && likely.length <= 2) {
    return { headline: upper(either(likely)), detail: "" };
  }
  return { headline: WORDS.verdict.hard, detail: named };
}

/** @param {string[]} labels */
function either(labels) {
  if (labels.length < 2) return labels[0] ?? "";
  return `${labels.slice(0, -1).join(", ")} ${WORDS.verdict.or} ${labels[labels.length - 1]}`;
}

/** @param {string} label */
function article(label) {
  return `${/^[aeiou]/i.test(label) ? "An" : "A"} ${label}`;
}

/** A capital in front, but not of an iPod. @param {string} text */
function upper(text) {
  return /^[a-z][A-Z]/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
