/** Things that went wrong, each with what was expected and the way back. */

import { WhatsitError } from "../core/errors.js";
import { platform } from "./camera_problems.js";
import { ALLOW_AGAIN, PROBLEMS } from "./camera_words.js";
import { h, icon, iconButton } from "./dom.js";
import { WORDS } from "./words.js";

/**
 * An error as a card: message, expected, hint.
 *
 * @param {unknown} error
 * @param {(() => void)|null} [onclose] With it, the card has a button that closes it.
 */
export function errorCard(error, onclose = null) {
  const { code, message, expected, hint } = whatsitError(error);
  return h(
    "article",
    { class: "card error", data: { code } },
    h(
      "div",
      { class: "card-head" },
      icon("warning"),
      h("p", { class: "card-title" }, message),
      onclose && iconButton("close", WORDS.close, onclose),
    ),
    expected && line(WORDS.errors.expected, expected),
    hint && line(WORDS.errors.hint, hint),
  );
}

/**
 * A camera that gives no picture, and what to do about it.
 *
 * @param {import("./camera_problems.js").Problem} problem
 * @param {{retry: () => void, instead: (() => void)|null}} ways
 */
export function problemCard(problem, { retry, instead }) {
  const words = PROBLEMS[problem.code] ?? PROBLEMS["camera-failed"];
  const steps = problem.code === "camera-blocked" ? ALLOW_AGAIN[platform()] : [];
  const button = (/** @type {string} */ text, /** @type {() => void} */ run, main = false) =>
    h("button", { type: "button", class: main ? "button primary" : "button", onclick: run }, text);
  return h(
    "section",
    { class: "card problem", role: "alert", data: { code: problem.code } },
    h("h2", { class: "card-title" }, words.title),
    h("p", {}, words.text),
    steps.length > 0 && h("ol", {}, ...steps.map((step) => h("li", {}, step))),
    problem.code === "camera-failed" && problem.name && h("p", { class: "muted" }, problem.name),
    h(
      "div",
      { class: "buttons" },
      words.retry && button(words.retry, retry, true),
      instead && button(WORDS.orPicture, instead, !words.retry),
    ),
  );
}

/**
 * Any error as one of ours: what nobody foresaw is told as it is.
 *
 * @param {unknown} error
 * @returns {WhatsitError}
 */
export function whatsitError(error) {
  if (error instanceof WhatsitError) return error;
  const hint = error instanceof Error ? error.message : String(error);
  return new WhatsitError("internal", WORDS.errors.internal, { hint });
}

/**
 * An error that says which file it is about.
 *
 * @param {unknown} error
 * @param {string} name
 */
export function named(error, name) {
  const ours = whatsitError(error);
  return name && !ours.message.includes(name) ? ours.about(name) : ours;
}

/**
 * @param {string} name
 * @param {string} text
 */
function line(name, text) {
  return h("p", { class: "card-line" }, h("b", {}, name), " ", text);
}
