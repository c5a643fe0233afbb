/** The person's own models in this browser: opened files and taught ones, to rename, save, remove. */

import { errorCard } from "./cards.js";
import { fill, h, iconButton } from "./dom.js";
import { megabytes } from "./numbers.js";
import { saveModel } from "./save_file.js";

/** @typedef {import("../store/db.js").ModelFacts} ModelFacts */

const ORIGINS = /** @type {Record<string, string>} */ ({ file: "opened here", taught: "taught here" });

const ROW = { display: "flex", "flex-wrap": "wrap", "align-items": "center", gap: "8px" };

/**
 * The list, for the settings; drawn anew whenever the models change.
 * @param {any} app
 * @returns {HTMLElement}
 */
export function ownModelsCard(app) {
  const body = h("div", { class: "own-models" });
  const problem = h("div", {});
  const run = async (/** @type {() => Promise<void>} */ work) => {
    fill(problem);
    try {
      await work();
    } catch (error) {
      fill(problem, errorCard(error, () => fill(problem)));
    }
  };
  const draw = () => run(async () => fill(body, ...(await rows(app, run))));
  app.models.addEventListener("change", draw);
  void draw();
  return h("section", {}, h("h3", {}, "Your own models"), body, problem);
}

/**
 * @param {any} app
 * @param {(work: () => Promise<void>) => Promise<void>} run
 */
async function rows(app, run) {
  const { problem, models } = app.store ?? {};
  if (problem) return [h("p", { class: "muted" }, `${problem.message}. ${problem.hint}.`)];
  const found = /** @type {ModelFacts[]} */ ((await models?.list()) ?? []);
  if (found.length === 0) return [h("p", { class: "muted" }, "None yet.")];
  return found.map((facts) => row(app, facts, run));
}

/**
 * @param {any} app
 * @param {ModelFacts} facts
 * @param {(work: () => Promise<void>) => Promise<void>} run
 */
function row(app, { name, size, origin }, run) {
  const input = h("input", { value: name, "aria-label": `Name of ${name}`, maxlength: 80 });
  input.addEventListener("change", () =>
    run(() => app.models.rename(name, input.value.trim() || name)),
  );
  const save = { type: "button", class: "button", onclick: () => run(() => download(app, name)) };
  const remove = () => run(async () => app.models.remove(name));
  return h(
    "div",
    { class: "own-model", data: { model: name }, style: ROW },
    input,
    h("span", { class: "muted" }, `${megabytes(size)}, ${ORIGINS[origin] ?? origin}`),
    h("button", { ...save, "aria-label": `Download ${name}` }, "Download"),
    iconButton("remove", `Remove ${name}`, remove),
  );
}

/**
 * Saves the model as a file: what was put in, byte for byte.
 * @param {any} app
 * @param {string} name
 */
async function download(app, name) {
  const model = await app.models.own(name);
  if (model !== null) saveModel(model.bytes, name);
}
