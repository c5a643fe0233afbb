/** Several pictures, their answers one below another; a bad one is one bad line among good ones. */

import { errorCard } from "./cards.js";
import { attribute, fill, h, icon } from "./dom.js";
import { percent } from "./numbers.js";
import { isVideo, nameOf } from "./sources.js";
import { said } from "./verdict.js";
import { WORDS } from "./words.js";

/** @typedef {import("./types.js").Answer} Answer */
/**
 * @typedef {{file: File, answer: Answer|null, line: HTMLElement, button: HTMLElement,
 *   words: HTMLElement}} Item
 */

export class Gallery {
  /** @type {Item[]} */
  items = [];
  #urls = /** @type {string[]} */ ([]);
  element = h("ul", { class: "gallery" });

  /**
   * @param {File[]} files
   * @param {(item: Item) => void} open
   */
  constructor(files, open) {
    this.items = files.map((file) => this.#item(file, open));
    this.element.append(...this.items.map(({ line }) => line));
  }

  /** What can be answered: a video is played when it is opened. */
  get pictures() {
    return this.items.filter(({ file }) => !isVideo(file));
  }

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
    fill(
      item.words,
      muted(nameOf(item.file)),
      h("b", {}, told.headline),
      best && muted(`${best.label}, ${percent(best.score, 1)}`),
    );
    if (!item.button.isConnected) fill(item.line, item.button); // it failed before
    attribute(item.line, "data-kind", told.kind);
  }

  /**
   * @param {Item} item
   * @param {unknown} error
   */
  fail(item, error) {
    item.answer = null;
    fill(item.line, errorCard(error));
    attribute(item.line, "data-kind", "error");
  }

  close() {
    for (const url of this.#urls) URL.revokeObjectURL(url);
    this.#urls = [];
  }

  /**
   * @param {File} file
   * @param {(item: Item) => void} open
   * @returns {Item}
   */
  #item(file, open) {
    const state = isVideo(file) ? h("b", {}, WORDS.stage.video) : muted("…");
    const words = h("span", { class: "gallery-words" }, muted(nameOf(file)), state);
    const button = h(
      "button",
      { type: "button", class: "gallery-item", onclick: () => open(item) },
      this.#thumbnail(file),
      words,
    );
    /** @type {Item} */
    const item = { file, answer: null, line: h("li", {}, button), button, words };
    return item;
  }

  /** @param {File} file */
  #thumbnail(file) {
    if (isVideo(file)) return icon("play");
    const url = URL.createObjectURL(file);
    this.#urls.push(url);
    const image = h("img", { src: url, alt: "", loading: "lazy", decoding: "async" });
    image.addEventListener("error", () => (image.style.visibility = "hidden"));
    return image;
  }
}

/** @param {string} text */
function muted(text) {
  return h("span", { class: "muted" }, text);
}
