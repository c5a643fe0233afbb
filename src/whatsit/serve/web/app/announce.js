/** Tells those who listen what is seen: politely, on change, never more often than every 2 s. */

const LEAST_MS = 2000;

export class Announcer {
  #element;
  #last_ms = -Infinity;
  #text = "";
  #timer = 0;

  /** @param {Element} element A live region. */
  constructor(element) {
    this.#element = element;
  }

  /** @param {string} text */
  say(text) {
    this.#text = text;
    if (this.#timer || text === this.#element.textContent) return;
    const wait_ms = Math.max(0, this.#last_ms + LEAST_MS - performance.now());
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      this.#last_ms = performance.now();
      this.#element.textContent = this.#text;
    }, wait_ms);
  }
}
