/** The worker's side of the engine: a queue of requests that are answered one by one. */

import { WhatsitError } from "../core/errors.js";
import { Desk } from "./desk.js";
import { isFrame } from "./looking.js";
import { isBroken } from "./runner.js";

/** @typedef {import("./messages.js").Request} Request */

/**
 * Answers what the page asks, in order.
 * @param {any} liteRt what rt/litert.js defines
 * @param {Promise<void>} loading its wasm
 * @param {unknown[]} early what was asked before this was loaded
 */
export function serve(liteRt, loading, early) {
  const desk = new Desk(liteRt, loading);
  let last = Promise.resolve();
  /** @param {any} request */
  const take = (request) => {
    last = last.then(() => reply(desk, request));
  };
  early.forEach(take);
  self.onmessage = ({ data }) => {
    if (data.kind === "ping") self.postMessage({ kind: "pong" }); // whatever is under way
    else take(data);
  };
}

/**
 * @param {Desk} desk
 * @param {Request & {id: number}} request
 */
async function reply(desk, request) {
  const { id } = request;
  try {
    const value = await desk.answer(request, (step) => self.postMessage({ id, step }));
    self.postMessage({ id, value });
  } catch (error) {
    self.postMessage({ id, error: plain(error), fatal: isBroken(error) });
  } finally {
    if ("picture" in request && isFrame(request.picture)) request.picture.close();
  }
}

/**
 * An error as postMessage can carry it.
 * @param {unknown} error
 */
function plain(error) {
  if (error instanceof WhatsitError) return error.toJSON();
  const reason = error instanceof Error ? error.message : String(error);
  return new WhatsitError("model-failed", `the engine failed: ${reason}`).toJSON();
}
