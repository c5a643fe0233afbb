/** One class: its name, the button that collects, and its pictures. */

import { h, icon, iconButton, write } from "../dom.js";
import { holdable } from "./collect.js";
import { TEACH, pictures } from "./words.js";

const LONGEST_NAME = 60;

/** @typedef {import("./project.js").Class} Class */
/** @typedef {import("./project.js").Picture} Picture */
/**
 * @typedef {{rename: (name: string) => void, remove: () => void,
 *   hold: (held: boolean) => void, take: () => void, files: (files: File[]) => void,
 *   removePicture: (picture: Picture) => void}} Ways
 */

export class ClassCard {
  /** @type {Map<Picture, {element: HTMLElement, image: HTMLImageElement, button: HTMLElement,
   *   url: string}>} */
  #thumbs = new Map();

  /**
   * @param {Class} one
   * @param {Ways} ways
   */
  constructor(one, ways) {
    this.class = one;
    this.ways = ways;
    this.name = h("input", {
      type: "text",
      maxlength: LONGEST_NAME,
      autocomplete: "off",
      "aria-label": TEACH.className,
      oninput: () => ways.rename(this.name.value),
      onfocus: () => this.name.select(),
    });
    this.name.value = one.name;
    this.count = h("span", { class: "badge teach-count" });
    this.hold = h(
      "button",
      { type: "button", class: "button teach-hold" },
      icon("camera"),
      h("span", {}, TEACH.hold),
    );
    this.release = holdable(this.hold, {
      start: () => ways.hold(true),
      step: () => ways.take(),
      end: () => ways.hold(false),
    });
    this.input = h("input", { type: "file", accept: "image/*", multiple: true, hidden: true });
    this.input.addEventListener("change", () => {
      ways.files([...(this.input.files ?? [])]);
      this.input.value = ""; // the same file again is a change, too
    });
    const open = () => this.input.click();
    this.files = h(
      "button",
      { type: "button", class: "button teach-files", onclick: open },
      icon("picture"),
      h("span", {}, TEACH.files),
    );
    this.remove = iconButton("remove", "", ways.remove);
    this.list = h("ul", { class: "teach-thumbs" });
    this.none = h("p", { class: "muted teach-none" }, TEACH.noPictures);
    this.element = h(
      "section",
      { class: "card teach-class" },
      h("div", { class: "teach-head" }, h("div", { class: "field" }, this.name), this.count, this.remove),
      h("div", { class: "teach-buttons" }, this.hold, this.files, this.input),
      this.none,
      this.list,
    );
    this.#dropped();
    this.show();
  }

  /** Shows what the class has now. */
  show() {
    const { name, pictures: own } = this.class;
    if (document.activeElement !== this.name) this.name.value = name;
    this.element.setAttribute("aria-label", TEACH.counted(name, own.length));
    write(this.count, String(own.length));
    this.count.title = pictures(own.length);
    this.hold.setAttribute("aria-label", TEACH.holdOf(name));
    this.files.setAttribute("aria-label", TEACH.filesOf(name));
    this.remove.setAttribute("aria-label", TEACH.removeClass(name));
    this.remove.title = TEACH.removeClass(name);
    this.none.hidden = own.length > 0;
    this.list.hidden = own.length === 0;
    this.#showThumbs();
  }

  /** Lets go of what the pictures hold. */
  close() {
    this.release();
    for (const { url } of this.#thumbs.values()) URL.revokeObjectURL(url);
    this.element.remove();
  }

  #showThumbs() {
    const { name, pictures: own } = this.class;
    const there = new Set(own);
    for (const [picture, { element, url }] of this.#thumbs) {
      if (there.has(picture)) continue;
      this.#leave(element);
      URL.revokeObjectURL(url);
      this.#thumbs.delete(picture);
    }
    own.forEach((picture, place) => {
      const thumb = this.#thumbs.get(picture) ?? this.#thumb(picture);
      const before = this.list.children[place];
      if (before !== thumb.element) {
        this.list.insertBefore(thumb.element, before ?? null);
        if (place === own.length - 1) this.list.scrollLeft = this.list.scrollWidth;
      }
      const words = TEACH.pictureOf(name, place + 1);
      if (thumb.image.alt === words) return; // of hundreds, few change at a time
      thumb.image.alt = words;
      thumb.button.setAttribute("aria-label", TEACH.removePicture(name, place + 1));
    });
  }

  /** @param {Picture} picture */
  #thumb(picture) {
    const url = URL.createObjectURL(picture.blob);
    const image = h("img", { src: url, alt: "", width: 64, height: 64, decoding: "async" });
    const button = h(
      "button",
      { type: "button", class: "teach-x", onclick: () => this.ways.removePicture(picture) },
      icon("close"),
    );
    const thumb = { element: h("li", {}, image, button), image, button, url };
    this.#thumbs.set(picture, thumb);
    return thumb;
  }

  /**
   * Takes a picture off; the focus goes to the one beside it.
   * @param {HTMLElement} element
   */
  #leave(element) {
    const next = element.nextElementSibling ?? element.previousElementSibling;
    const focused = element.contains(document.activeElement);
    element.remove();
    if (focused) (next?.querySelector("button") ?? this.hold).focus();
  }

  /** Files that are dropped on the card are its own. */
  #dropped() {
    let depth = 0;
    const over = (/** @type {number} */ by) => {
      depth = Math.max(0, depth + by);
      this.element.toggleAttribute("data-drop", depth > 0);
    };
    this.element.addEventListener("dragenter", () => over(1));
    this.element.addEventListener("dragleave", () => over(-1));
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      over(-depth);
      this.ways.files([...(event.dataTransfer?.files ?? [])]);
    });
  }
}
