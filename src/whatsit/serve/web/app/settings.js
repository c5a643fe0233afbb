/** The settings: a dialog, every change at once in effect and kept. */

import { choice, slider } from "./controls_form.js";
import { h, iconButton, write } from "./dom.js";
import { percent } from "./numbers.js";
import { engineSection } from "./settings_engine.js";
import { modelSection } from "./settings_models.js";
import { appVersion } from "./site.js";
import { WORDS } from "./words.js";

const W = WORDS.settings;
const COUNTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const SHARES = Array.from({ length: 20 }, (_, step) => step / 20);
const INTERVALS_MS = [0, 100, 200, 300, 500, 1000, 2000, 5000];

/** @typedef {import("./types.js").App} App */

/**
 * @param {App} app
 * @param {{models?: Node|null, install?: Node|null}} more What others add to it.
 */
export function settingsDialog(app, { models = null, install = null } = {}) {
  const { state } = app;
  const title = h("h2", { id: "settings-title" }, W.title);
  const camera = cameraField(app);
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "settings-title" },
    h(
      "div",
      { class: "dialog-head" },
      title,
      iconButton("close", WORDS.close, () => dialog.close()),
    ),
    h(
      "div",
      { class: "dialog-body", tabindex: "0", role: "group", "aria-labelledby": "settings-title" },
      modelSection(app),
      ...(models ? [models] : []),
      resultSection(state),
      viewSection(state, camera.element),
      engineSection(app),
      h(
        "section",
        {},
        h("h3", {}, W.app),
        choice(state, { key: "theme", label: W.theme, choices: Object.entries(W.themes) }),
        install,
        h(
          "button",
          { type: "button", class: "button wide", onclick: () => state.reset() },
          W.reset,
        ),
        aboutLine(),
      ),
    ),
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  document.body.append(dialog);
  return {
    open() {
      camera.draw();
      dialog.showModal();
    },
  };
}

/** @param {import("./state.js").State} state */
function resultSection(state) {
  return h(
    "section",
    {},
    h("h3", {}, W.results),
    slider(state, { key: "top", label: W.top, values: COUNTS, text: String }),
    slider(state, { key: "threshold", label: W.threshold, values: SHARES, text: (s) => percent(s) }),
    choice(state, {
      key: "smoothing",
      label: W.smoothing,
      choices: [
        ["off", W.off],
        ["0.25s", "¼ s"],
        ["0.5s", "½ s"],
        ["1s", "1 s"],
      ],
    }),
  );
}

/**
 * @param {import("./state.js").State} state
 * @param {Node} camera
 */
function viewSection(state, camera) {
  const text = (/** @type {number} */ ms) => (ms === 0 ? W.everyFrame : `${ms / 1000} s`);
  return h(
    "section",
    {},
    h("h3", {}, W.view),
    camera,
    choice(state, {
      key: "rule",
      label: W.rule,
      choices: Object.entries(W.rules),
      note: W.ruleText,
    }),
    slider(state, {
      key: "interval",
      label: W.interval,
      values: INTERVALS_MS,
      text,
      note: W.intervalText,
    }),
  );
}

/**
 * The cameras by name, where there are several and the person has allowed one.
 *
 * @param {App} app
 */
function cameraField(app) {
  const select = h("select", { id: "camera-device" });
  const label = h("label", { for: "camera-device" }, W.camera);
  const element = h("div", { class: "field" }, label, select);
  select.addEventListener("change", () => app.state.set("device", select.value || null));
  const draw = () => {
    const devices = app.stage.camera.devices.filter((device) => device.deviceId && device.label);
    element.hidden = devices.length < 2;
    const wanted = app.state.get("device") ?? "";
    const any = h("option", { value: "" }, W.anyCamera);
    const all = devices.map(({ deviceId, label: name }) => h("option", { value: deviceId }, name));
    select.replaceChildren(any, ...all);
    select.value = wanted;
  };
  draw();
  return { element, draw };
}

function aboutLine() {
  const line = h("p", { class: "muted" });
  void appVersion().then((version) => (version ? write(line, W.about(version)) : line.remove()));
  return line;
}
