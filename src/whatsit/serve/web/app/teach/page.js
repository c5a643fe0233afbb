/** What stands on the screen of the view “Teach”. */

import { fill, h, icon, iconButton, write } from "../dom.js";
import { button } from "./lesson_card.js";
import { TEACH } from "./words.js";

const LONGEST_NAME = 60;

/** @typedef {import("./project.js").Project} Project */
/**
 * @typedef {{startCamera: () => void, stopCamera: () => void, flip: () => void,
 *   rename: (name: string) => void, addClass: () => void, teach: () => void,
 *   archive: () => void, clear: () => void}} Ways
 */

export class Page {
  /**
   * @param {HTMLElement} element
   * @param {{lesson: Element, undo: Element}} parts
   * @param {Ways} ways
   */
  constructor(element, { lesson, undo }, ways) {
    const start = button(TEACH.startCamera, "camera", ways.startCamera, "primary");
    this.empty = h("div", { class: "teach-empty" }, h("p", {}, TEACH.stageEmpty), start);
    this.flip = iconButton("flip", TEACH.flip, ways.flip);
    const stop = iconButton("close", TEACH.stopCamera, ways.stopCamera);
    this.bar = h("div", { class: "teach-bar" }, this.flip, stop);
    this.wrap = h("div", { class: "stage-wrap teach-stage" }, this.empty, this.bar);
    this.name = h("input", {
      type: "text",
      id: "teach-model-name",
      maxlength: LONGEST_NAME,
      autocomplete: "off",
      oninput: () => ways.rename(this.name.value),
      onchange: () => this.name.value.trim() || ways.rename(TEACH.defaultName),
    });
    this.backbone = h("p", { class: "muted teach-backbone" });
    this.list = h("div", { class: "teach-classes" });
    this.state = h("p", { class: "teach-state", id: "teach-state", role: "status" });
    this.warnings = h("ul", { class: "teach-warnings" });
    this.progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": TEACH.fitting });
    this.teach = button(TEACH.teach, "teach", ways.teach, "primary");
    this.teach.setAttribute("aria-describedby", this.state.id);
    this.archive = button(TEACH.archive, "picture", ways.archive);
    this.clear = button(TEACH.clear, "remove", () => this.#askClear(ways.clear));
    this.sure = h("div", { class: "teach-sure", role: "alert", hidden: true });
    const panel = h(
      "div",
      { class: "teach-panel" },
      h("h2", {}, TEACH.title),
      h("p", { class: "teach-promise" }, icon("lock"), h("span", {}, TEACH.promise)),
      h("div", { class: "field" }, h("label", { for: this.name.id }, TEACH.modelName), this.name),
      this.backbone,
      this.list,
      button(TEACH.addClass, "add", ways.addClass),
      h("div", { class: "teach-go" }, this.state, this.warnings, this.progress, this.teach),
      lesson,
      h("div", { class: "teach-buttons teach-foot" }, this.archive, this.clear, this.sure),
      h("p", { class: "muted teach-small" }, TEACH.archiveText),
      undo,
    );
    element.classList.add("teach");
    element.append(this.wrap, panel);
  }

  /** @param {string} text */
  say(text) {
    write(this.state, text);
  }

  /** @param {number} done @param {number} total */
  step(done, total) {
    this.progress.hidden = false;
    this.progress.value = done / total;
  }

  /**
   * @param {Project} project
   * @param {{taught: boolean, stale: boolean, busy: boolean, held: boolean}} now
   */
  show(project, { taught, stale, busy, held }) {
    if (document.activeElement !== this.name) this.name.value = project.name;
    const missing = project.missing();
    this.teach.disabled = missing !== "" || busy;
    this.archive.disabled = project.count === 0;
    const label = this.teach.querySelector("span");
    if (label) write(label, taught ? TEACH.again : TEACH.teach);
    if (busy) return;
    this.progress.hidden = true;
    const ready = TEACH.ready(project.count, project.classes.length);
    if (!held) this.say(missing || (stale ? TEACH.stale : ready));
    const warnings = missing ? [] : project.warnings();
    fill(this.warnings, ...warnings.map((text) => h("li", {}, icon("warning"), text)));
    this.warnings.hidden = warnings.length === 0;
  }

  /** @param {import("../stage.js").Stage} stage that shows something else */
  staged({ mode, camera }) {
    this.empty.hidden = mode !== "empty";
    this.bar.hidden = mode !== "camera";
    this.flip.hidden = camera.devices.length < 2;
  }

  /** @param {() => void} clear */
  #askClear(clear) {
    const close = () => {
      this.sure.hidden = true;
      this.clear.focus();
    };
    const yes = button(TEACH.clearYes, "remove", () => {
      close();
      clear();
    });
    const no = h("button", { type: "button", class: "button", onclick: close }, TEACH.clearNo);
    fill(this.sure, h("p", {}, TEACH.clearSure), yes, no);
    this.sure.hidden = false;
    no.focus();
  }
}
