/** The builds of LiteRT.js, best first, and which of them this browser can run. */

/** @typedef {"threaded" | "relaxed" | "compat"} Build */
/** @typedef {{isolated: boolean, relaxedSimd: boolean, cores: number}} Features */
/** @typedef {{build: Build, passed: boolean, reason: string}} Tried */

/** @type {readonly Build[]} */
export const BUILDS = Object.freeze(["threaded", "relaxed", "compat"]);
/** @type {Readonly<Record<Build, string>>} */
const LOADERS = Object.freeze({
  threaded: "litert_wasm_threaded_internal.js",
  relaxed: "litert_wasm_internal.js",
  compat: "litert_wasm_compat_internal.js",
});
const MOST_THREADS = 4; // beyond it, one small picture at a time gains nothing
// A module whose only function multiplies and adds with relaxed precision.
const RELAXED_SIMD = new Uint8Array([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0],
  ...[65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11],
]);

/**
 * The loader of a build, in rt/; its wasm lies beside it.
 * @param {Build} build
 * @returns {string}
 */
export function loaderOf(build) {
  return LOADERS[build];
}

/** @returns {Features} of the browser that this runs in */
export function features() {
  return {
    isolated: globalThis.crossOriginIsolated === true && typeof SharedArrayBuffer === "function",
    relaxedSimd: WebAssembly.validate(RELAXED_SIMD),
    cores: navigator.hardwareConcurrency || 1,
  };
}

/**
 * How many threads one picture gets: as many as are wished for, or by default the cores.
 * @param {number | null} wish
 * @returns {number}
 */
export function threadsOf(wish) {
  return wish ?? Math.min(features().cores, MOST_THREADS);
}

/**
 * The build that is tried first; null if there is none.
 * @param {Build | "auto"} wish
 * @param {number} threads
 * @returns {Build | null}
 */
export function firstBuild(wish, threads) {
  const found = features();
  return fallbacks(wish).find((build) => reasonAgainst(build, found, threads) === "") ?? null;
}

/**
 * Why a build cannot run here; empty where it is worth a try.
 * @param {Build} build
 * @param {Features} found
 * @param {number} threads
 * @returns {string}
 */
export function reasonAgainst(build, { isolated, relaxedSimd }, threads) {
  if (build !== "compat" && !relaxedSimd) return "this browser has no relaxed SIMD";
  if (build !== "threaded") return "";
  if (!isolated) return "the page is not isolated, so its threads can share no memory";
  return threads > 1 ? "" : "one thread is all there is to be";
}

/**
 * The builds to try, in their order: `wish` first, then all that ask less of the browser.
 * @param {Build | "auto"} wish
 * @returns {readonly Build[]}
 */
export function fallbacks(wish) {
  return wish === "auto" ? BUILDS : BUILDS.slice(BUILDS.indexOf(wish));
}
