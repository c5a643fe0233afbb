/** A picture on its way to the worker, and the answer back, though the worker be another by then. */

import { WhatsitError } from "../core/errors.js";
import { parseRule } from "../core/rule.js";
import { isFrame, look } from "./looking.js";

/** @typedef {import("./messages.js").ModelFacts} ModelFacts */
/** @typedef {import("./messages.js").Request} Request */
/** @typedef {import("./messages.js").Shown} Shown */
/** @typedef {import("./messages.js").Source} Source */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {{source: Source, rule: string | null, exact: boolean}} Picture */

/**
 * The worker's answer to what `request` asks about a picture. A frame is closed in any case.
 * @param {{session: () => Promise<Session>, model: () => ModelFacts | null}} engine as it is now
 * @param {Picture} picture
 * @param {(shown: Shown) => Request} request
 * @returns {Promise<any>}
 */
export async function askAbout(engine, picture, request) {
  const { source } = picture;
  try {
    for (;;) {
      const session = await engine.session();
      const { shown, transfer } = await shownTo(session, engine.model(), picture);
      try {
        return await session.ask(request(shown), transfer);
      } catch (error) {
        // Another worker took its place: that one is asked. A frame went down with the first.
        if (!session.replaced || isFrame(source)) throw error;
      }
    }
  } finally {
    if (isFrame(source)) source.close(); // of one that the worker has, this is but the husk
  }
}

/**
 * What goes to the worker: the picture, or what the page has made of it.
 * @param {Session} session
 * @param {ModelFacts | null} model
 * @param {Picture} picture
 * @returns {Promise<{shown: Shown, transfer: Transferable[]}>}
 */
async function shownTo(session, model, { source, rule, exact }) {
  if (session.canDraw) {
    return { shown: { picture: source }, transfer: isFrame(source) ? [source] : [] };
  }
  if (model === null) {
    throw new WhatsitError("wrong-usage", "no model is open", { expected: "open(…) before this" });
  }
  const looked = await look(source, parseRule(rule ?? model.rule), model.input, exact);
  return { shown: { looked }, transfer: [looked.pixels.buffer] };
}
