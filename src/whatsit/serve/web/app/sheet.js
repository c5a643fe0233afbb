/**
 * The sheet of results over the lower edge of the stage: at rest it shows the results, drawn up the
 * facts as well. Its handle is a button; it can be dragged, too. On wide screens it is a panel that
 * always shows all (app.css), and the handle is gone.
 */

import { attribute, h, icon } from "./dom.js";
import { WORDS } from "./words.js";

const FLICK = 40; // pixels of a drag that say what is meant

export class Sheet {
  #from = 0;
  #dragged = false;

  /**
   * @param {Element[]} peek What always shows.
   * @param {Element} more
   */
  constructor(peek, more) {
    this.more = h("div", { class: "sheet-more", id: "sheet-more" }, more);
    this.handle = h(
      "button",
      {
        type: "button",
        class: "handle",
        "aria-controls": "sheet-more",
        onclick: () => this.#click(),
        onpointerdown: (/** @type {PointerEvent} */ event) => this.#down(event),
        onpointermove: (/** @type {PointerEvent} */ event) => this.#move(event),
        onpointerup: (/** @type {PointerEvent} */ event) => this.#up(event),
        onpointercancel: () => this.#settle(),
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      },
      icon("up"),
      h("span", { class: "handle-word" }, WORDS.details),
    );
    const results = h("div", { class: "sheet-peek" }, ...peek);
    // Scrolled by keyboard, too, where it is longer than the screen.
    const scroll = { class: "sheet-scroll", tabindex: "0", role: "group", "aria-label": WORDS.results };
    this.scroll = h("div", scroll, results, this.more);
    const named = { class: "sheet", "aria-label": WORDS.results };
    this.element = h("section", named, this.handle, this.scroll);
    this.open = false;
  }

  /** @param {boolean} open */
  set open(open) {
    attribute(this.element, "data-open", open);
    this.handle.setAttribute("aria-expanded", String(open));
    if (!open) this.scroll.scrollTop = 0;
  }

  get open() {
    return this.element.hasAttribute("data-open");
  }

  #click() {
    if (!this.#dragged) this.open = !this.open;
    this.#dragged = false;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === "ArrowUp") this.open = true;
    else if (event.key === "ArrowDown" || event.key === "Escape") this.open = false;
    else return;
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.#from = event.clientY;
    this.#dragged = false;
    this.handle.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.handle.hasPointerCapture(event.pointerId)) return;
    const by = event.clientY - this.#from;
    if (Math.abs(by) > 4) this.#dragged = true;
    if (this.#dragged) this.element.style.setProperty("--drag", `${by}px`);
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const by = event.clientY - this.#from;
    if (by < -FLICK) this.open = true;
    else if (by > FLICK) this.open = false;
    this.#settle();
  }

  #settle() {
    this.element.style.removeProperty("--drag");
  }
}
