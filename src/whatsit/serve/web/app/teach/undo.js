/** What was deleted last, and a button that brings it back, for a while. */

import { fill, h } from "../dom.js";
import { TEACH } from "./words.js";

const SHOWN_MS = 8000;

export class Undo {
  element = h("div", { class: "teach-undo", role: "status", hidden: true });
  #timer = 0;

  /**
   * @param {string} words
   * @param {() => void} back
   */
  offer(words, back) {
    clearTimeout(this.#timer);
    const undo = () => {
      this.close();
      back();
    };
    const button = h("button", { type: "button", class: "button", onclick: undo }, TEACH.undo);
    fill(this.element, h("span", {}, words), button);
    this.element.hidden = false;
    this.#timer = window.setTimeout(() => this.#leave(), SHOWN_MS);
  }

  close() {
    clearTimeout(this.#timer);
    this.element.hidden = true;
    fill(this.element);
  }

  /** It stays as long as somebody is about to press it. */
  #leave() {
    if (!this.element.matches(":hover, :focus-within")) this.close();
    else this.#timer = window.setTimeout(() => this.#leave(), SHOWN_MS);
  }
}
