/** The backend in the settings: what can run here, why not the others, and what really runs. */

import { errorCard } from "./cards.js";
import { list } from "./controls_form.js";
import { fill, h, write } from "./dom.js";
import { WORDS } from "./words.js";

const W = WORDS.settings;
const BUILDS = /** @type {const} */ (["auto", "threaded", "relaxed", "compat", "webgpu"]);

/** @typedef {import("./types.js").App} App */

/** @param {App} app */
export function engineSection(app) {
  const holder = h("div", {});
  const now = h("p", { class: "muted", role: "status" });
  const problem = h("div", {});
  const threads = threadField(app, () => void restart());
  const restart = async () => {
    const build = app.state.get("build");
    write(now, W.restarting);
    fill(problem);
    try {
      await app.ready;
      await app.engine.restart({ build, threads: app.state.get("threads") });
      await app.changedEngine();
    } catch (error) {
      fill(problem, errorCard(error, () => fill(problem)));
    } finally {
      draw();
    }
  };
  const draw = () => {
    const focused = holder.contains(document.activeElement);
    const choose = (/** @type {string} */ build) => {
      app.state.set("build", build);
      void restart();
    };
    fill(holder, list(W.backend, options(app), choose));
    const chosen = /** @type {HTMLElement|null} */ (holder.querySelector("input:checked"));
    if (focused) chosen?.focus();
    write(now, app.engine ? W.runsNow(running(app.engine.facts)) : W.restarting);
    threads.draw();
  };
  void app.ready.then(draw, draw);
  app.state.on("build", draw);
  draw();
  return h("section", {}, h("h3", {}, W.backend), holder, threads.element, now, problem);
}

/**
 * What runs, in words: "WebAssembly, several threads (2)".
 *
 * @param {import("./types.js").EngineFacts} facts
 */
export function running({ build, threads }) {
  const name = WORDS.builds[build] ?? build;
  return build === "threaded" ? `${name} (${threads})` : name;
}

/**
 * @param {App} app
 * @returns {import("./controls_form.js").Option[]}
 */
function options(app) {
  const wanted = app.state.get("build");
  return BUILDS.map((build) => ({
    value: build,
    title: WORDS.builds[build],
    note: WORDS.buildNotes[build],
    reason: unavailable(build, app.engine?.facts ?? null),
    checked: build === wanted,
  }));
}

/**
 * Why a build cannot run here; null if it can.
 *
 * @param {string} build
 * @param {import("./types.js").EngineFacts|null} facts
 * @returns {string|null}
 */
function unavailable(build, facts) {
  if (build === "webgpu") return WORDS.buildNotes.webgpu;
  if (!facts || build === "auto" || build === "compat") return null;
  if (!facts.relaxedSimd) return WORDS.noRelaxed;
  if (build === "threaded" && !facts.isolated) return WORDS.noThreads;
  const tried = facts.tried.find((one) => one.build === build);
  return tried && !tried.passed ? tried.reason : null;
}

/**
 * @param {App} app
 * @param {() => void} changed
 */
function threadField(app, changed) {
  const most = Math.max(1, Math.min(navigator.hardwareConcurrency || 1, 16));
  const input = h("input", { type: "range", id: "threads", min: "1", max: String(most), step: "1" });
  const output = h("output", { for: "threads" });
  const note = h("p", { class: "muted", id: "threads-note" }, WORDS.settings.threadsOne);
  input.setAttribute("aria-describedby", "threads-note");
  input.addEventListener("change", () => {
    app.state.set("threads", Number(input.value));
    changed();
  });
  const show = () => {
    write(output, input.value);
    input.style.setProperty("--at", String((Number(input.value) - 1) / Math.max(1, most - 1)));
  };
  input.addEventListener("input", show);
  const draw = () => {
    const facts = app.engine?.facts;
    const usable = facts?.build === "threaded";
    input.disabled = !usable || most === 1;
    note.hidden = usable;
    input.value = String(facts?.threads ?? 1);
    show();
  };
  const head = h("div", { class: "field-head" }, h("label", { for: "threads" }, W.threads), output);
  return { element: h("div", { class: "field slider" }, head, input, note), draw };
}
