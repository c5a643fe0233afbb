/** From nothing to the first answer: the engine, the store, the model, the self-test. */

import { WhatsitError } from "../core/errors.js";
import { Engine } from "../engine/client.js";
import { openStore } from "../store/db.js";
import { errorCard } from "./cards.js";
import { fill, h } from "./dom.js";
import { megabytes } from "./numbers.js";
import { hasPassed, notePassed } from "./tested.js";
import { WORDS } from "./words.js";

const AGAIN_MS = 1000; // time for the first answer

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./results.js").Results} Results */

/**
 * Sets `app.engine` and `.store` on the way. `ready` rejects where nothing can run;
 * `opened` is to be given the results once they are on the screen, to tell them how far it is.
 *
 * @param {App} app
 * @returns {{ready: Promise<any>, opened: (results: Results) => void}}
 */
export function startEngine(app) {
  /** @type {Results|null} */
  let results = null;
  let selfTest = WORDS.facts.notYet;
  const tell = (/** @type {string} */ text) => {
    if (app.engine === null) results?.wait(WORDS.verdict.preparing, text);
  };
  const facts = () => results?.facts.showEngine(app.engine?.facts ?? null, selfTest);
  app.models.addEventListener("choose", (event) => {
    app.state.set("model", /** @type {CustomEvent} */ (event).detail);
  });

  const start = async () => {
    // The engine starts while its model is fetched.
    const engine = Engine.begin({ build: app.state.get("build"), threads: app.state.get("threads") });
    engine.addEventListener("died", (event) => {
      app.fail(/** @type {CustomEvent} */ (event).detail);
    });
    app.store = await openStore();
    app.models.attach(engine, app.store);
    await app.models.load();
    tell(WORDS.verdict.preparingModel);
    await firstModel(app, (loaded) => tell(WORDS.verdict.loaded(megabytes(loaded))));
    const test = async () => {
      const { runtime } = app.models;
      notePassed(engine, runtime, false); // until it has: it may bring the page down
      selfTest = await checked(engine, tell);
      notePassed(engine, runtime, true);
      facts();
    };
    if (hasPassed(engine, app.models.runtime)) setTimeout(() => test().catch(app.fail), AGAIN_MS);
    else await test();
    app.engine = engine;
    results?.wait(WORDS.verdict.nothingYet, WORDS.verdict.nothingYetText);
    facts();
    app.changedEngine = test;
    app.models.dispatchEvent(new CustomEvent("use", { detail: engine.model }));
    return engine;
  };
  const ready = start();
  ready.catch((error) => {
    results?.wait(WORDS.errors.internal, "");
    if (results) fill(results.rows.element, h("li", { class: "row" }, errorCard(error)));
  });
  return {
    ready,
    opened(given) {
      results = given;
      tell(WORDS.verdict.preparingModel);
    },
  };
}

/**
 * The model that was used last, or the standard one where that is gone or no longer runs.
 *
 * @param {App} app
 * @param {(loaded: number) => void} tell
 */
async function firstModel(app, tell) {
  const progress = (/** @type {{loaded: number}} */ { loaded }) => tell(loaded);
  const { models, state } = app;
  const wanted = state.get("model");
  if (wanted !== null && wanted !== models.standard && models.has(wanted)) {
    try {
      await models.use(wanted, progress);
      return;
    } catch (error) {
      app.fail(error);
    }
  }
  await models.use(models.standard, progress);
}

/**
 * Sample pictures on the build that runs; one that disagrees is left by the engine itself.
 *
 * @param {any} engine
 * @param {(text: string) => void} tell
 * @returns {Promise<string>}
 */
async function checked(engine, tell) {
  let done = 0;
  const test = await engine.selfTest(() => tell(WORDS.verdict.checking(++done)));
  if (!test.passed) {
    throw new WhatsitError("runtime-unavailable", WORDS.errors.wrong, { hint: WORDS.errors.wrongHint });
  }
  if (test.checks.every((/** @type {any} */ check) => check.expected === null)) return WORDS.facts.notOf(engine.model?.name ?? "");
  return WORDS.facts.passed(test.checks.length);
}
