/** The models in the settings: what there is, with size, accuracy and speed here; a new one. */

import { errorCard } from "./cards.js";
import { list } from "./controls_form.js";
import { fill, h, icon, write } from "./dom.js";
import { accuracyOf } from "./facts.js";
import { megabytes, milliseconds, percent } from "./numbers.js";
import { WORDS } from "./words.js";

const W = WORDS.settings;

/** @typedef {import("./types.js").App} App */
/** @typedef {import("./types.js").Listed} Listed */

/** @param {App} app */
export function modelSection(app) {
  const holder = h("div", {});
  const note = h("p", { class: "muted", role: "status" });
  const problem = h("div", {});
  const run = async (/** @type {string} */ words, /** @type {() => Promise<any>} */ work) => {
    write(note, words);
    fill(problem);
    try {
      await app.ready;
      await work();
    } catch (error) {
      fill(problem, errorCard(error, () => fill(problem)));
    } finally {
      write(note, "");
      draw();
    }
  };
  const draw = () => {
    const focused = holder.contains(document.activeElement);
    const choose = (/** @type {string} */ name) => void run(W.opening, () => app.models.use(name));
    fill(holder, list(W.model, options(app), choose));
    const chosen = /** @type {HTMLElement|null} */ (holder.querySelector("input:checked"));
    if (focused) chosen?.focus();
  };
  const input = h("input", {
    type: "file",
    accept: ".tflite,application/octet-stream",
    hidden: true,
    onchange: () => {
      const file = input.files?.[0];
      if (file) void run(W.opening, () => app.models.addOwn(file));
      input.value = "";
    },
  });
  app.models.addEventListener("change", draw);
  app.models.addEventListener("use", draw);
  draw();
  return h(
    "section",
    {},
    h("h3", {}, W.model),
    holder,
    note,
    problem,
    input,
    h(
      "button",
      { type: "button", class: "button wide", onclick: () => input.click() },
      icon("add"),
      W.own,
    ),
    h("p", { class: "muted" }, W.ownText),
  );
}

/**
 * @param {App} app
 * @returns {import("./controls_form.js").Option[]}
 */
function options(app) {
  const now = app.engine?.model?.name ?? app.state.get("model");
  return app.models.list().map((model) => ({
    value: model.name,
    title: model.name,
    note: about(model),
    reason: null,
    checked: model.name === now,
  }));
}

/** @param {Listed} model */
function about(model) {
  const best = accuracyOf(model.accuracy);
  return [
    model.own && W.yours,
    megabytes(model.bytes),
    best ? W.top1(percent(best.top1 / 100, 1), best.data_set) : !model.own && W.noAccuracy,
    model.ms === null ? W.unmeasured : W.measured(milliseconds(model.ms)),
  ]
    .filter(Boolean)
    .join(" · ");
}
