/**
 * “Why?”: which part of the picture speaks for a class, laid over it and told in words. For what
 * stands still: a picture, or a camera or video that is paused.
 */

import { errorCard } from "./cards.js";
import { attribute, fill, h, iconButton, write } from "./dom.js";
import { WORDS } from "./words.js";

const W = WORDS.why;

/** @typedef {import("../engine/messages.js").Explained} Explained */
/** @typedef {"target"|"difference"} Kind */

export class Why {
  element = h("section", { class: "why", "aria-label": W.map, hidden: true });
  #canvas = h("canvas", { class: "why-map", "aria-hidden": "true", hidden: true });
  #call = 0;
  #shown = "";

  /**
   * @param {Object} parts
   * @param {import("./types.js").App} parts.app
   * @param {import("./results.js").Results} parts.results
   * @param {() => any} parts.source What is on the stage, for Engine.explain, or a promise of it.
   * @param {() => string|null} parts.rule
   */
  constructor({ app, results, source, rule }) {
    this.app = app;
    this.results = results;
    this.source = source;
    this.rule = rule;
    results.rows.why = (label) => void this.#toggle(label);
    results.rows.element.after(this.element);
    app.stage.frame.append(this.#canvas);
  }

  /**
   * Something else is on the stage: whether that can be asked about.
   *
   * @param {boolean} possible
   */
  allow(possible) {
    this.clear();
    attribute(this.results.rows.element, "data-why", possible);
  }

  /** Takes the map away. */
  clear() {
    this.#call++;
    if (this.element.hidden) return;
    this.element.hidden = true;
    this.#hide();
    this.results.rows.press("");
    this.#shown = "";
    fill(this.element);
  }

  #hide() {
    this.#canvas.hidden = true;
    attribute(this.app.stage.element, "data-why", null);
  }

  /** @param {string} label */
  async #toggle(label) {
    const same = this.#shown === label;
    this.clear();
    if (same) return;
    const call = this.#call;
    this.#shown = label;
    this.results.rows.press(label);
    fill(this.element, h("p", { class: "muted" }, WORDS.verdict.looking));
    this.element.hidden = false;
    try {
      const [{ draw, told }, why] = await Promise.all([import("./why_map.js"), this.#asked(label)]);
      if (call === this.#call) this.#panel(why, draw, told);
    } catch (error) {
      if (call === this.#call) fill(this.element, errorCard(error, () => this.clear()));
    }
    if (call === this.#call) this.element.scrollIntoView({ block: "nearest" });
  }

  /**
   * @param {string} target
   * @returns {Promise<Explained>}
   */
  async #asked(target) {
    const engine = await this.app.ready;
    return engine.explain(await this.source(), { target, rule: this.rule() });
  }

  /**
   * @param {Explained} why
   * @param {typeof import("./why_map.js").draw} draw
   * @param {typeof import("./why_map.js").told} told
   */
  #panel(why, draw, told) {
    const { target, versus } = why;
    const words = h("p", { class: "why-words" });
    const scale = h("div", { class: "why-scale", "aria-hidden": "true" });
    const ends = [h("span", {}), h("span", {})];
    const { stage } = this.app;
    /** @type {{kind: Kind, text: string, name: string|null}[]} */
    const kinds = [{ kind: "target", text: W.of(target.label), name: null }];
    if (versus) {
      const name = W.rather(target.label, versus.label);
      kinds.push({ kind: "difference", text: W.not(versus.label), name });
    }
    const show = (/** @type {Kind} */ kind) => {
      buttons.forEach((button, i) => attribute(button, "aria-pressed", String(kinds[i].kind === kind)));
      scale.style.background = draw(this.#canvas, why, kind);
      const second = kind === "difference" && versus;
      write(ends[0], second ? W.speaks(target.label) : W.nothing);
      write(ends[1], W.speaks(second ? second.label : target.label));
      write(words, told(why, kind, stage.mirrored));
      this.results.announcer.say(words.textContent ?? "");
    };
    const buttons = kinds.map(({ kind, text, name }) => {
      const onclick = () => show(kind);
      return h("button", { type: "button", class: "button", "aria-label": name, onclick }, text);
    });
    fill(
      this.element,
      h(
        "div",
        { class: "why-head" },
        h("div", { class: "why-kinds" }, ...buttons),
        iconButton("close", W.off, () => this.#off(target.label)),
      ),
      scale,
      h("div", { class: "why-ends" }, ...ends),
      words,
    );
    this.#canvas.hidden = false;
    attribute(stage.element, "data-why", true);
    show("target");
  }

  /**
   * The button is gone then: focus goes back to the one that the map came by.
   *
   * @param {string} label
   */
  #off(label) {
    this.clear();
    this.results.rows.focus(label);
  }
}
