/** What came of teaching: how well it does, in plain words, and what can be done with it. */

import { fill, h, icon } from "../dom.js";
import { megabytes } from "../numbers.js";
import { TEACH } from "./words.js";

const MOST_MIXED = 3;
const WIDE = 0.1; // an interval of the estimate that is worth telling

/** @typedef {import("../../core/teach/lesson.js").Lesson} Lesson */
/** @typedef {{keep: () => void, download: () => void, picture: (file: File) => void}} Ways */

export class LessonCard {
  /**
   * @param {Element} trial
   * @param {Ways} ways
   */
  constructor(trial, ways) {
    this.words = h("div", { class: "teach-words" });
    this.input = h("input", { type: "file", accept: "image/*", hidden: true });
    this.input.addEventListener("change", () => {
      const file = this.input.files?.[0];
      this.input.value = "";
      if (file) ways.picture(file);
    });
    this.keep = button(TEACH.keep, "add", ways.keep, "primary");
    this.download = button(TEACH.download, "up", ways.download);
    this.size = h("p", { class: "muted teach-small" });
    const tryPicture = button(TEACH.tryPicture, "picture", () => this.input.click());
    this.element = h(
      "section",
      { class: "card teach-lesson", "aria-label": TEACH.tryIt, hidden: true },
      trial,
      this.words,
      h("div", { class: "teach-buttons" }, this.keep, this.download, tryPicture, this.input),
      this.size,
    );
  }

  /** @param {Lesson} lesson */
  show(lesson) {
    const { estimate, calibrated, alike, seconds, bytes } = lesson;
    fill(
      this.words,
      h("p", { class: "muted teach-small" }, TEACH.taught(seconds)),
      estimate && h("p", {}, TEACH.estimate(estimate.right, estimate.judged)),
      estimate && wide(estimate.interval) && h("p", {}, TEACH.interval(...estimate.interval)),
      !estimate && h("p", {}, TEACH.noEstimate),
      estimate && estimate.mixed.length > 0 && mixed(estimate.mixed),
      alike.length > 0 && h("p", { class: "teach-warn" }, icon("warning"), TEACH.warn.alike(alike)),
      h("p", {}, calibrated ? TEACH.unknown : TEACH.noUnknown),
    );
    this.size.textContent = `${TEACH.downloadText}, ${megabytes(bytes.length)}`;
    this.element.hidden = false;
  }

  hide() {
    this.element.hidden = true;
  }
}

/** @param {[number, number]} interval */
function wide([low, high]) {
  return high - low > WIDE;
}

/** @param {NonNullable<Lesson["estimate"]>["mixed"]} pairs */
function mixed(pairs) {
  const items = pairs.slice(0, MOST_MIXED).map((pair) => h("li", {}, TEACH.mixed(pair)));
  return h("div", {}, h("p", {}, TEACH.mixedTitle), h("ul", {}, ...items));
}

/**
 * @param {string} words
 * @param {string} sign
 * @param {() => void} onclick
 * @param {string} [kind]
 */
export function button(words, sign, onclick, kind = "") {
  const own = { type: "button", class: `button ${kind}`.trim(), onclick };
  return h("button", own, icon(sign), h("span", {}, words));
}
