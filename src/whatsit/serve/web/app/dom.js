/** Elements from plain calls: data is only ever set as text or as an attribute. */

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Node|string|number|null|undefined|false} Child */

/**
 * An element. A function is a listener (`onclick`), an object under `style` CSS properties and under
 * `data` the dataset; a value of null or false leaves an attribute out, true sets it empty.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Child|Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (name === "data") {
      Object.assign(element.dataset, value);
    } else if (name === "style" && value !== null && typeof value === "object") {
      for (const [key, text] of Object.entries(value)) element.style.setProperty(key, String(text));
    } else {
      attribute(element, name, value);
    }
  }
  element.append(...kept(children));
  return element;
}

/**
 * Sets an attribute; null, undefined and false take it away.
 *
 * @param {Element} element
 * @param {string} name
 * @param {unknown} value
 */
export function attribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/**
 * Replaces what is in an element.
 *
 * @param {Element} element
 * @param {...(Child|Child[])} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...kept(children));
}

/**
 * Sets a text only where it differs: nothing is laid out anew sixty times a second.
 *
 * @param {Element} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * One of ICONS, drawn in the colour of the text around it; what it says stands beside it.
 *
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name] ?? "");
  svg.append(path);
  return svg;
}

/**
 * A button with an icon alone, whose words are its label and its tooltip.
 *
 * @param {string} name
 * @param {string} words
 * @param {(event: MouseEvent) => void} onclick
 * @param {Record<string, any>} [properties]
 */
export function iconButton(name, words, onclick, properties = {}) {
  return h(
    "button",
    {
      type: "button",
      class: "icon-button",
      "aria-label": words,
      title: words,
      onclick,
      ...properties,
    },
    icon(name),
  );
}

/**
 * @param {(Child|Child[])[]} children
 * @returns {(Node|string)[]}
 */
function kept(children) {
  /** @type {(Node|string)[]} */
  const found = [];
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    found.push(typeof child === "number" ? String(child) : child);
  }
  return found;
}

// Lines on a grid of 24, drawn with a stroke of 1.75.
/** @type {Record<string, string>} */
const ICONS = {
  look: "M4 8V6a2 2 0 0 1 2-2h2M16 4h2a2 2 0 0 1 2 2v2M20 16v2a2 2 0 0 1-2 2h-2M8 20H6a2 2 0 0 1-2-2v-2M12 8.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7z",
  teach: "M12 4 2.5 9 12 14l9.5-5L12 4zM6.5 11.3V16c0 1.4 2.6 2.8 5.5 2.8s5.500-1.400 5.500-2.800v-4.700M21.500 9v5.500",
  measure: "M4 17a8 8 0 1 1 16 0M12 17l4-5.500M7 20h10",
  settings:
    "M4 7h9M17 7h3M15 5v4M4 12h3M11 12h9M9 10v4M4 17h9M17 17h3M15 15v4",
  picture:
    "M5 4h14a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1zM4 16l4.500-4.500 4 4L15.500 12.500 20 17M15.500 8a.9.9 0 1 1 0 1.800.9.9 0 0 1 0-1.800z",
  camera:
    "M4 8h3l1.500-2.500h7L17 8h3a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V9a1 1 0 0 1 1-1zM12 9.800a3.700 3.700 0 1 1 0 7.400 3.700 3.700 0 0 1 0-7.400z",
  flip: "M19.500 9A8 8 0 0 0 5.300 7.200M4.500 15a8 8 0 0 0 14.200 1.800M5 3v4.500h4.500M19 21v-4.500h-4.500",
  pause: "M9 6v12M15 6v12",
  play: "M8 5.500v13l10.500-6.500z",
  crop: "M4 9V5.500A1.500 1.500 0 0 1 5.500 4H9M15 4h3.500A1.500 1.500 0 0 1 20 5.500V9M20 15v3.500a1.500 1.500 0 0 1-1.500 1.500H15M9 20H5.500A1.500 1.500 0 0 1 4 18.500V15",
  close: "M6 6l12 12M18 6 6 18",
  back: "M14.500 5.500 8 12l6.500 6.500",
  next: "M9.500 5.500 16 12l-6.500 6.500",
  up: "M5.500 14.500 12 8l6.500 6.500",
  warning: "M12 4 2.800 20h18.400L12 4zM12 10v4.500M12 17.200v.3",
  add: "M12 5v14M5 12h14",
  remove: "M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7",
  lock: "M6.500 11h11a1 1 0 0 1 1 1v7a1 1 0 0 1-1 1h-11a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
};
