/** Several files: answered one by one into a list, and anew where the model or a rule changes. */

import { named } from "./cards.js";
import { Gallery } from "./gallery.js";
import { nameOf } from "./sources.js";
import { WORDS } from "./words.js";

export class Several {
  #run = 0;

  /**
   * @param {File[]} files
   * @param {Object} parts
   * @param {import("./types.js").App} parts.app
   * @param {() => object} parts.options Of Engine.classify.
   * @param {(item: import("./gallery.js").Item) => void} parts.open
   * @param {(words: string, last: boolean) => void} parts.told How far it is.
   */
  constructor(files, { app, options, open, told }) {
    this.app = app;
    this.options = options;
    this.told = told;
    this.gallery = new Gallery(files, open);
  }

  get element() {
    return this.gallery.element;
  }

  get count() {
    return this.gallery.items.length;
  }

  /** How far it is. */
  get words() {
    const { answered, pictures, items } = this.gallery;
    return pictures.length > 0
      ? WORDS.stage.answered(answered, pictures.length)
      : WORDS.stage.videos(items.length);
  }

  /** Answers all pictures; a call that comes meanwhile begins anew. */
  async again() {
    const run = ++this.#run;
    const engine = await this.app.ready.catch(() => null); // told where the answers stand
    if (engine === null) return;
    for (const item of this.gallery.pictures) {
      if (run !== this.#run) return;
      try {
        const answer = await engine.classify(item.file, this.options());
        if (run === this.#run) this.gallery.answer(item, answer);
      } catch (error) {
        if (run === this.#run) this.gallery.fail(item, named(error, nameOf(item.file)));
      }
      if (run === this.#run) this.told(this.words, false);
    }
    if (run === this.#run) this.told(this.words, true);
  }

  close() {
    this.#run++;
    this.gallery.close();
  }
}
