/**
 * The worker of the engine: a classic script, since LiteRT.js loads its wasm by importScripts.
 *
 * All that it does stands in serving.js, a module. The wasm is fetched and compiled meanwhile, and
 * what is asked before both are there waits.
 */

"use strict";

const RT = new URL("../rt/", self.location.href).href;

/** @type {unknown[]} */
const early = [];

/** What it is to load stands in its address, so that it need not wait to be told. */
async function loaded() {
  const own = new URL(self.location.href).searchParams;
  const loader = own.get("loader") ?? "";
  const threads = Number(own.get("threads")); // 0 for a build without them
  const logged = (/** @type {string} */ text) => self.postMessage({ kind: "log", text });
  Object.assign(self, {
    Module: {
      locateFile: (/** @type {string} */ file) => RT + file,
      mainScriptUrlOrBlob: RT + loader,
      print: logged,
      printErr: logged,
    },
  });
  // It would start a worker for each core; more than its threads have nothing to do.
  Object.defineProperty(self.navigator, "hardwareConcurrency", { value: threads || 1 });
  // A folder lets it choose by what the browser can do; a file is taken as it is.
  await LiteRT.loadLiteRt(threads ? RT : RT + loader, threads ? { threads: true } : {});
}

self.onmessage = ({ data }) => early.push(data);
importScripts("../rt/litert.js");
const loading = loaded();
loading.catch(() => {}); // the answer to what is asked first tells it
import("./serving.js").then(
  ({ serve }) => serve(LiteRT, loading, early),
  (error) => self.postMessage({ kind: "broken", reason: String(error) }),
);
