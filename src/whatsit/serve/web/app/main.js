/** The app: starts the engine, checks it, and mounts the views. */

import { errorCard } from "./cards.js";
import { attribute, fill, h, icon, iconButton } from "./dom.js";
import { mount as mountLook } from "./look.js";
import { Models } from "./models.js";
import { settingsDialog } from "./settings.js";
import { Stage } from "./stage.js";
import { startEngine } from "./start.js";
import { state } from "./state.js";
import { Views } from "./views.js";
import { WORDS } from "./words.js";

const NOTE_MS = 4000;

/** @typedef {import("./types.js").App} App */

main();

function main() {
  theme();
  const say = notes(element("notes"));
  const cards = element("cards");
  /** @type {App} */
  const app = {
    engine: null,
    ready: Promise.resolve(null),
    state,
    store: null,
    models: new Models(),
    stage: new Stage(state),
    say,
    fail(error) {
      const card = errorCard(error, () => card.remove());
      fill(cards, card);
    },
    changedEngine: async () => {},
    open: (name) => views.open(name),
  };
  const { ready, opened } = startEngine(app);
  app.ready = ready;
  const views = new Views(app, element("tabs"), element("views"));
  const look = mountLook(app, views.panel("look"));
  const { results } = /** @type {{results: import("./results.js").Results}} */ (look);
  views.ready("look", look);
  opened(results);
  views.add("teach", () => import("./teach/view.js"));
  views.add("measure", () => import("./measure.js"));
  views.open(location.hash.slice(1) || "look");
  void settingsButton(app);
  // What goes wrong unforeseen is told, not swallowed.
  window.addEventListener("unhandledrejection", (event) => app.fail(event.reason));
}

/** The button is there at once; the parts of others come into its dialog where they load. */
async function settingsButton(/** @type {App} */ app) {
  /** @type {{models?: Node, install?: Node}} */
  const more = {};
  try {
    const install = await import("./install.js");
    const installer = new install.Installer(element("notes"));
    more.install = install.installCard();
    more.models = (await import("./own_models.js")).ownModelsCard(app);
    void app.ready.then(
      (engine) => installer.keep({ build: engine.facts.build }),
      () => {}, // told where the answers stand
    );
  } catch {
    // without it the app is a page like any other
  }
  const dialog = settingsDialog(app, more);
  element("top-buttons").append(
    iconButton("settings", WORDS.stage.settings, () => dialog.open(), { id: "settings-button" }),
  );
}

/** Light or dark, as chosen or as the system has it. */
function theme() {
  const show = () => {
    const chosen = state.get("theme");
    attribute(document.documentElement, "data-theme", chosen === "auto" ? null : chosen);
  };
  state.on("theme", show);
  show();
}

/**
 * @param {HTMLElement} into
 * @returns {App["say"]}
 */
function notes(into) {
  return (message, kind = "note") => {
    const note = h(
      "div",
      { class: "toast", role: "status", data: { kind } },
      kind === "bad" && icon("warning"),
      h("span", {}, message),
    );
    into.append(note);
    setTimeout(() => note.remove(), NOTE_MS);
  };
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}
