/** The views as tabs of one screen; one that cannot be loaded leaves the others alone. */

import { errorCard } from "./cards.js";
import { fill, h, icon } from "./dom.js";
import { WORDS } from "./words.js";

/** @typedef {"look"|"teach"|"measure"} Name */
/** @typedef {import("./types.js").View} View */
/** @typedef {() => Promise<{mount: (app: any, element: HTMLElement) => View|Promise<View>}>} Load */

const NAMES = /** @type {const} */ (["look", "teach", "measure"]);

export class Views {
  #app;
  #now = "";
  /** @type {Map<string, {tab: HTMLButtonElement, panel: HTMLElement, view: View|null,
   *   load: Load|null}>} */
  #all = new Map();

  /**
   * @param {any} app
   * @param {HTMLElement} tabs
   * @param {HTMLElement} panels
   */
  constructor(app, tabs, panels) {
    this.#app = app;
    for (const name of NAMES) {
      const tab = h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `tab-${name}`,
          "aria-controls": `view-${name}`,
          onclick: () => this.open(name),
        },
        icon(name),
        h("span", {}, WORDS.views[name]),
      );
      const labelled = { role: "tabpanel", "aria-labelledby": tab.id };
      const panel = h("div", { class: "view", id: `view-${name}`, ...labelled, hidden: true });
      this.#all.set(name, { tab, panel, view: null, load: null });
      tabs.append(tab);
      panels.append(panel);
    }
    tabs.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {Name} name */
  panel(name) {
    return this.#of(name).panel;
  }

  /**
   * @param {Name} name
   * @param {View} view
   */
  ready(name, view) {
    this.#of(name).view = view;
  }

  /**
   * A view that is loaded when it is first opened.
   *
   * @param {Name} name
   * @param {Load} load
   */
  add(name, load) {
    this.#of(name).load = load;
  }

  /** @param {string} name */
  open(name) {
    const wanted = this.#all.has(name) ? name : "look";
    if (wanted === this.#now) return;
    this.#all.get(this.#now)?.view?.hide();
    this.#now = wanted;
    for (const [other, { tab, panel }] of this.#all) {
      const chosen = other === wanted;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      panel.hidden = !chosen;
    }
    document.documentElement.dataset.view = wanted;
    history.replaceState(null, "", wanted === "look" ? "#" : `#${wanted}`);
    void this.#show(wanted);
  }

  /** @param {string} name */
  async #show(name) {
    const entry = this.#of(name);
    try {
      if (!entry.view && entry.load) {
        const { mount } = await entry.load();
        entry.view = await mount(this.#app, entry.panel);
      }
      if (this.#now === name) entry.view?.show();
    } catch (error) {
      this.#failed(name, error);
    }
  }

  /**
   * @param {string} name
   * @param {unknown} error
   */
  #failed(name, error) {
    const { panel } = this.#of(name);
    const retry = () => {
      fill(panel);
      void this.#show(name);
    };
    const words = WORDS.viewFailed(WORDS.views[/** @type {Name} */ (name)]);
    fill(
      panel,
      h(
        "div",
        { class: "empty" },
        h("p", {}, words),
        errorCard(error),
        h("button", { type: "button", class: "button primary", onclick: retry }, WORDS.tryAgain),
      ),
    );
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const place = NAMES.indexOf(/** @type {Name} */ (this.#now));
    let to = step === undefined ? place : (place + step + NAMES.length) % NAMES.length;
    if (event.key === "Home") to = 0;
    else if (event.key === "End") to = NAMES.length - 1;
    else if (step === undefined) return;
    event.preventDefault();
    this.open(NAMES[to]);
    this.#of(NAMES[to]).tab.focus();
  }

  /** @param {string} name */
  #of(name) {
    const entry = this.#all.get(name);
    if (!entry) throw new RangeError(`no view is called ${name}`);
    return entry;
  }
}
