// What the tests of the engine ask of it, in a page of the served site.

import { Engine } from "./engine/client.js";

const asked = {
  /** An Engine, with a model by its name if one is given. */
  async start(options = {}, model = null) {
    window.engine?.close();
    window.engine = null;
    window.engine = await Engine.start(options);
    return { facts: window.engine.facts, model: model && (await asked.open(model)) };
  },
  open(name) {
    return window.engine.open({ name, url: `models/${name}.tflite` });
  },
  openBytes(name, base64, sha256) {
    return window.engine.open({ name, bytes: bytesOf(base64), ...(sha256 && { sha256 }) });
  },
  async classify(base64, width, height, options) {
    const data = bytesOf(base64);
    const answer = await window.engine.classify({ width, height, data }, options);
    return { ...answer, scores: answer.scores && [...answer.scores] };
  },
  async classifyFile(base64, options) {
    const answer = await window.engine.classify(new Blob([bytesOf(base64)]), options);
    return { ...answer, scores: answer.scores && [...answer.scores] };
  },
  async explain(base64, width, height, options) {
    const source = { width, height, data: bytesOf(base64) };
    const why = await window.engine.explain(source, options);
    const plain = (map) => map && { ...map, values: [...map.values] };
    return { ...why, map: plain(why.map), difference: plain(why.difference) };
  },
  async embed(base64, width, height) {
    return [...(await window.engine.embed({ width, height, data: bytesOf(base64) }))];
  },
};

/** @param {string} base64 */
function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** Calls one of these; an error comes as {error}, a WhatsitError with all it says. */
window.ask = async (name, ...values) => {
  try {
    return await asked[name](...values);
  } catch (error) {
    return { error: error.toJSON?.() ?? String(error) };
  }
};
window.Engine = Engine;
window.ready = true;
