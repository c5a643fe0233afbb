/** The answer on the sheet: the verdict in words, the rows, the facts. */

import { Announcer } from "./announce.js";
import { attribute, h, write } from "./dom.js";
import { Facts } from "./facts.js";
import { percent } from "./numbers.js";
import { Rows } from "./rows.js";
import { Sheet } from "./sheet.js";
import { sentence } from "./verdict.js";
import { WORDS } from "./words.js";

const LONG = 22; // characters that fit at full size on a narrow phone
const LONGER = 34;

/** @typedef {import("./verdict.js").Said} Said */

export class Results {
  facts = new Facts();

  /** @param {import("./state.js").State} state */
  constructor(state) {
    this.state = state;
    this.rows = new Rows(state.get("top"));
    this.headline = h("p", { class: "headline" });
    this.detail = h("p", { class: "detail" });
    const live = h("div", { class: "heard", "aria-live": "polite", role: "status" });
    this.announcer = new Announcer(live);
    this.verdict = h("div", { class: "verdict" }, this.headline, this.detail);
    this.sheet = new Sheet([this.verdict, this.rows.element], this.facts.element);
    this.element = this.sheet.element;
    this.element.append(live);
    state.on("top", (top) => this.rows.resize(top));
  }

  /**
   * Words without rows: nothing yet, or what is going on.
   *
   * @param {string} headline
   * @param {string} [detail]
   */
  wait(headline, detail = "") {
    this.#say({ kind: "none", headline, detail, names: null });
    this.rows.show([]);
  }

  /**
   * @param {Said} told
   * @param {import("./rows.js").Row[]} rows Those above the threshold.
   * @param {number} digits
   */
  show(told, rows, digits) {
    const words = rows.length > 0 ? told : this.#none();
    this.#say(words);
    attribute(this.element, "data-kind", words.kind);
    this.rows.show(rows.slice(0, this.state.get("top")), digits);
    this.announcer.say(sentence(words));
  }

  /** @returns {Said} */
  #none() {
    const headline = WORDS.verdict.noneAbove(percent(this.state.get("threshold")));
    return { kind: "none", headline, detail: WORDS.verdict.noneAboveText, names: null };
  }

  /** @param {Said} told */
  #say({ kind, headline, detail }) {
    const length = headline.length > LONGER ? "longer" : headline.length > LONG ? "long" : null;
    attribute(this.headline, "data-length", length);
    attribute(this.element, "data-kind", kind);
    write(this.headline, headline);
    write(this.detail, detail);
  }
}
