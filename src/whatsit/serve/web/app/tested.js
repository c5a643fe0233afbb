/**
 * What has passed its self-test in this browser before. It is tested again each time, but then after
 * the first answer, which need not wait.
 */

import { storage } from "./state.js";

const KEY = "whatsit.tested";

/**
 * @param {any} engine With a model.
 * @param {string} runtime What the site says of the engine's own files.
 * @returns {boolean} Whether this very combination has passed.
 */
export function hasPassed(engine, runtime) {
  try {
    return storage()?.getItem(KEY) === markOf(engine, runtime);
  } catch {
    return false; // nothing is kept here
  }
}

/**
 * @param {any} engine
 * @param {string} runtime
 * @param {boolean} passed
 */
export function notePassed(engine, runtime, passed) {
  try {
    if (passed) storage()?.setItem(KEY, markOf(engine, runtime));
    else storage()?.removeItem(KEY);
  } catch {
    // it is tested first the next time, too
  }
}

/**
 * @param {any} engine
 * @param {string} runtime
 */
function markOf({ facts, model }, runtime) {
  return JSON.stringify([runtime, facts.build, facts.threads, facts.userAgent, model.sha256]);
}
