/** Fields of the settings: each shows a value of the state and sets it at once. */

import { attribute, h, write } from "./dom.js";

/** @typedef {import("./state.js").State} State */

let made = 0;

/**
 * A slider over a list of values.
 *
 * @template {string|number} T
 * @param {State} state
 * @param {{key: string, label: string, values: readonly T[], text: (value: T) => string,
 *   note?: string}} field
 */
export function slider(state, { key, label, values, text, note }) {
  const id = `field-${++made}`;
  const output = h("output", { for: id });
  const input = h("input", { type: "range", id, min: "0", max: String(values.length - 1), step: "1" });
  const place = (/** @type {T} */ value) => {
    const found = values.indexOf(value);
    return found >= 0 ? found : 0;
  };
  const show = () => {
    const now = place(state.get(key));
    input.value = String(now);
    const words = text(values[now]);
    write(output, words);
    attribute(input, "aria-valuetext", words);
    input.style.setProperty("--at", String(now / Math.max(1, values.length - 1)));
  };
  input.addEventListener("input", () => state.set(key, values[Number(input.value)]));
  state.on(key, show);
  show();
  return h(
    "div",
    { class: "field slider" },
    h("div", { class: "field-head" }, h("label", { for: id }, label), output),
    input,
    note && h("p", { class: "muted" }, note),
  );
}

/**
 * A few choices side by side.
 *
 * @param {State} state
 * @param {{key: string, label: string, choices: [string, string][], note?: string}} field
 */
export function choice(state, { key, label, choices, note }) {
  const name = `field-${++made}`;
  const inputs = choices.map(([value]) => {
    const set = () => state.set(key, value);
    return h("input", { type: "radio", name, value, onchange: set });
  });
  const show = () => {
    for (const input of inputs) input.checked = input.value === state.get(key);
  };
  state.on(key, show);
  show();
  return h(
    "fieldset",
    { class: "field segments" },
    h("legend", {}, label),
    h(
      "div",
      { class: "segments-row" },
      ...inputs.map((input, place) => h("label", {}, input, h("span", {}, choices[place][1]))),
    ),
    note && h("p", { class: "muted" }, note),
  );
}

/**
 * Choices one below another, each with a line of its own; those that cannot be had say why.
 *
 * @typedef {{value: string, title: string, note: string, reason: string|null,
 *   checked: boolean}} Option
 * @param {string} label
 * @param {Option[]} options
 * @param {(value: string) => void} choose
 */
export function list(label, options, choose) {
  const name = `field-${++made}`;
  return h(
    "fieldset",
    { class: "field options" },
    h("legend", { class: "heard" }, label),
    ...options.map(({ value, title, note, reason, checked }) => {
      const input = h("input", {
        type: "radio",
        name,
        value,
        disabled: reason !== null,
        onchange: () => choose(value),
      });
      input.checked = checked;
      return h(
        "div",
        { class: "option", data: reason === null ? {} : { off: "" } },
        h(
          "label",
          {},
          input,
          h(
            "span",
            { class: "option-words" },
            h("b", {}, title),
            h("span", { class: "muted" }, reason ?? note),
          ),
        ),
      );
    }),
  );
}
