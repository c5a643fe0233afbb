/** Several pictures, their answers one below another; a bad one is one bad line among good ones. */

import { errorCard } from "./cards.js";
import { attribute, fill, h } from "./dom.js";
import { percent } from "./numbers.js";
import { nameOf } from "./sources.js";
import { said } from "./verdict.js";
import { WORDS } from "./words.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {{file: Blob, answer: Answer|null, line: HTMLElement}} Item */

export class Gallery {
  /** @type {Item[]} */
  items = [];
  #urls = /** @type {string[]} */ ([]);
  element = h("ul", { class: "gallery" });

  /**
   * @param {Blob[]} files
   * @param {(item: Item) => void} open
   */
  constructor(files, open) {
    this.#open = open;
    this.items = files.map((file) => ({ file, answer: null, line: h("li", {}) }));
    for (const item of this.items) this.#draw(item, h("span", { class: "muted" }, "…"));
    this.element.append(...this.items.map(({ line }) => line));
  }

  #open;

  get answered() {
    return this.items.filter(({ answer }) => answer !== null).length;
  }

  /**
   * @param {Item} item
   * @param {Answer} answer
   */
  answer(item, answer) {
    item.answer = answer;
    const told = said(answer.result);
    const best = answer.result.predictions[0];
    this.#draw(
      item,
      h("b", {}, told.headline),
      best && h("span", { class: "muted" }, `${best.label}, ${percent(best.score, 1)}`),
    );
    attribute(item.line, "data-kind", told.kind);
  }

  /**
   * @param {Item} item
   * @param {unknown} error
   */
  fail(item, error) {
    fill(item.line, errorCard(error));
    attribute(item.line, "data-kind", "error");
  }

  close() {
    for (const url of this.#urls) URL.revokeObjectURL(url);
    this.#urls = [];
  }

  /**
   * @param {Item} item
   * @param {...(Node|undefined)} words
   */
  #draw(item, ...words) {
    const name = nameOf(item.file);
    const old = item.line.querySelector("img");
    const image = old ?? h("img", { alt: "", loading: "lazy", decoding: "async" });
    if (!old) {
      const url = URL.createObjectURL(item.file);
      this.#urls.push(url);
      image.src = url;
      image.addEventListener("error", () => (image.style.visibility = "hidden"));
    }
    const button = h(
      "button",
      { type: "button", class: "gallery-item", onclick: () => this.#open(item) },
      image,
      h("span", { class: "gallery-words" }, h("span", { class: "muted" }, name), ...words),
    );
    fill(item.line, button);
  }
}

/** @param {Gallery} gallery */
export function galleryWords(gallery) {
  return WORDS.errors.pictures(gallery.answered, gallery.items.length);
}
