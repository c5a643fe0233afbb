/**
 * The worker of the engine: a classic script, since LiteRT.js loads its wasm by importScripts.
 *
 * All that it does stands in serving.js, a module. What is asked before that is there waits.
 */

"use strict";

/** @type {unknown[]} */
const early = [];
self.onmessage = ({ data }) => early.push(data);
importScripts("../rt/litert.js");
import("./serving.js").then(
  ({ serve }) => serve(LiteRT, early),
  (error) => self.postMessage({ kind: "broken", reason: String(error) }),
);
