/**
 * The engine's worker: started when it is needed, or before that, while the page's modules are still
 * on their way.
 */

import { loaderOf } from "./builds.js";

/** @typedef {import("./builds.js").Build} Build */
/** @typedef {{build: Build, threads: number}} Wanted */

/** @type {{worker: Worker, address: string, good: boolean} | null} */
let early = null;

/**
 * Starts what `workerOf` will be asked for, if it is the same.
 * @param {Wanted} wanted
 */
export function startEarly(wanted) {
  const address = addressOf(wanted);
  const started = { worker: new Worker(address), address, good: true };
  // Nobody else hears yet what goes wrong with it.
  started.worker.onerror = () => (started.good = false);
  started.worker.onmessage = ({ data }) => (started.good &&= data.kind !== "broken");
  early = started;
}

/**
 * @param {Wanted} wanted
 * @returns {Worker}
 */
export function workerOf(wanted) {
  const address = addressOf(wanted);
  const started = early;
  early = null;
  if (started?.good && started.address === address) return started.worker;
  started?.worker.terminate();
  return new Worker(address);
}

/**
 * @param {Wanted} wanted
 * @returns {string}
 */
function addressOf({ build, threads }) {
  const address = new URL("worker.js", import.meta.url);
  const threaded = build === "threaded" ? { threads: String(threads) } : { threads: "0" };
  address.search = String(new URLSearchParams({ loader: loaderOf(build), ...threaded }));
  return address.href;
}
