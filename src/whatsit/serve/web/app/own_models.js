/** The person's own models in this browser: opened files and taught ones, to rename, save, remove. */

import { errorCard } from "./cards.js";
import { fill, h, iconButton } from "./dom.js";
import { megabytes } from "./numbers.js";

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
  input.addEventListener("change", () => run(() => rename(app, name, input.value.trim() || name)));
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
 * @param {any} app
 * @param {string} name
 * @param {string} newName
 */
async function rename(app, name, newName) {
  const taken = app.models.list().some((/** @type {{name: string}} */ one) => one.name === newName);
  // The store refuses another name of the person's own; those of the site it does not know.
  const free = taken && !(await app.store.models.get(newName)) ? `${newName}-2` : newName;
  const inUse = app.engine?.model?.name === name;
  await app.store.models.rename(name, free);
  await app.models.load();
  if (inUse) {
    await app.models.use(free);
    app.state.set("model", free);
  }
}

/**
 * Saves the model as a file: what was put in, byte for byte.
 * @param {any} app
 * @param {string} name
 */
async function download(app, name) {
  const model = await app.store.models.get(name);
  if (model === null) return;
  const url = URL.createObjectURL(new Blob([model.bytes], { type: "application/octet-stream" }));
  h("a", { href: url, download: `${name}.tflite` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // Safari reads it after the click
}
