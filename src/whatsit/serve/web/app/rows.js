/** The classes with their bars: as many places as results are asked for, so that nothing jumps. */

import { attribute, h, write } from "./dom.js";
import { percent } from "./numbers.js";
import { WORDS } from "./words.js";

/** @typedef {{label: string, score: number}} Row */

export class Rows {
  element = h("ol", { class: "rows", "aria-label": WORDS.rows });
  /** What the button “Why?” of a row does, where there is one (app.css). */
  why = (/** @type {string} */ label) => void label;
  /** @type {{row: HTMLElement, label: HTMLElement, share: HTMLElement, bar: HTMLElement,
   *   why: HTMLElement}[]} */
  #slots = [];
  #pressed = "";

  /** @param {number} count */
  constructor(count) {
    this.resize(count);
  }

  /** @param {number} count */
  resize(count) {
    while (this.#slots.length > count) this.#slots.pop()?.row.remove();
    while (this.#slots.length < count) {
      const label = h("span", { class: "row-label" });
      const share = h("span", { class: "row-share" });
      const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("i"));
      const onclick = () => this.why(label.textContent ?? "");
      const why = h("button", { type: "button", class: "row-why", onclick }, WORDS.why.button);
      const row = h("li", { class: "row" }, label, share, bar, why);
      this.#slots.push({ row, label, share, bar, why });
      this.element.append(row);
    }
  }

  /**
   * @param {Row[]} rows By falling score.
   * @param {number} [digits] Of the percentages: none while they move.
   */
  show(rows, digits = 0) {
    this.#slots.forEach((slot, place) => {
      const row = rows[place];
      attribute(slot.row, "data-empty", !row);
      attribute(slot.row, "aria-hidden", row ? null : "true");
      write(slot.label, row?.label ?? "");
      attribute(slot.label, "title", row?.label ?? null);
      write(slot.share, row ? percent(row.score, digits) : "");
      slot.bar.style.setProperty("--share", String(row?.score ?? 0));
      attribute(slot.why, "aria-label", row ? WORDS.why.row(row.label) : null);
    });
    this.press(this.#pressed);
  }

  /**
   * Which class is being explained; none for an empty text.
   *
   * @param {string} label
   */
  press(label) {
    this.#pressed = label;
    for (const slot of this.#slots) {
      const pressed = label !== "" && slot.label.textContent === label;
      if (slot.why.getAttribute("aria-pressed") !== String(pressed)) {
        slot.why.setAttribute("aria-pressed", String(pressed));
      }
    }
  }

  /**
   * To the button of a class.
   *
   * @param {string} label
   */
  focus(label) {
    this.#slots.find((slot) => slot.label.textContent === label)?.why.focus();
  }
}
