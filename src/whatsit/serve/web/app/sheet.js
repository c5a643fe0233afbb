/**
 * The sheet of results over the lower edge of the stage: at rest it shows the results, drawn up the
 * facts as well. Its handle is a button; it can be dragged, too. On wide screens it is a panel that
 * always shows all (app.css), and the handle is gone.
 */

import { attribute, h, icon } from "./dom.js";
import { WORDS } from "./words.js";

const FLICK = 40; // pixels of a drag that say what is meant
const SETTLE_MS = 180;

export class Sheet {
  #from = 0;
  #height = 0; // when the finger came down
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
    this.peek = h("div", { class: "sheet-peek" }, ...peek);
    // Scrolled by keyboard, too, where it is longer than the screen.
    const scroll = { class: "sheet-scroll", tabindex: "0", role: "group", "aria-label": WORDS.results };
    this.scroll = h("div", scroll, this.peek, this.more);
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
    this.#height = this.element.offsetHeight;
    this.#dragged = false;
    this.handle.setPointerCapture(event.pointerId);
  }

  /** The edge stays under the finger, between what always shows and what there is room for. */
  #move(/** @type {PointerEvent} */ event) {
    if (!this.handle.hasPointerCapture(event.pointerId) || this.#beside) return;
    const by = event.clientY - this.#from;
    if (Math.abs(by) > 4) this.#dragged = true;
    if (!this.#dragged) return;
    attribute(this.element, "data-dragged", true);
    const rest = this.element.offsetHeight - this.scroll.clientHeight + this.peek.offsetHeight;
    this.element.style.height = `${Math.max(rest, this.#height - by)}px`; // at most: app.css
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const by = event.clientY - this.#from;
    if (this.#dragged && Math.abs(by) > FLICK) this.open = by < 0;
    this.#settle();
  }

  /** From where the finger left it to where it belongs. */
  #settle() {
    const from = this.element.offsetHeight;
    if (!this.element.hasAttribute("data-dragged")) return;
    attribute(this.element, "data-dragged", null);
    this.element.style.removeProperty("height");
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const heights = [{ height: `${from}px` }, { height: `${this.element.offsetHeight}px` }];
    this.element.animate(heights, { duration: SETTLE_MS, easing: "ease-out" });
  }

  /** Whether it stands beside the stage, on a phone that lies on its side. */
  get #beside() {
    return this.element.offsetLeft > 0;
  }
}
