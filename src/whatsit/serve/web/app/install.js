/**
 * Installed, offline and up to date: registers the service worker, says when a new version is
 * ready, shows that there is no network, and offers the installation. Nothing reloads by itself.
 */

import { h } from "./dom.js";

const CHECK_AGAIN_MS = 3_600_000; // a page that stays open looks for a new version hourly at most

/**
 * @typedef {Event & {prompt: () => Promise<unknown>}} InstallPrompt
 *   what Chromium offers in `beforeinstallprompt`
 */

/** @type {InstallPrompt | null} */
let offered = null;
const offers = new EventTarget(); // "change"

addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault(); // no banner of the browser's over the camera: there is a button
  offered = /** @type {InstallPrompt} */ (event);
  offers.dispatchEvent(new Event("change"));
});
addEventListener("appinstalled", () => {
  offered = null;
  offers.dispatchEvent(new Event("change"));
});

export class Installer {
  #notice = h("div", { class: "notices", role: "status" });
  #badge = h("span", { class: "badge", hidden: true }, "Offline");
  #asked = false;
  #told = false;
  #unreachable = false;
  #checked = 0;
  #build = "";

  /**
   * Shows its notices at the end of `element` from now on.
   * @param {HTMLElement} element
   */
  constructor(element) {
    element.append(this.#badge, this.#notice);
    for (const event of ["online", "offline"]) addEventListener(event, () => this.#showBadge());
    document.addEventListener("visibilitychange", () => this.#again());
    navigator.serviceWorker?.addEventListener("controllerchange", () => {
      if (this.#asked) location.reload();
    });
    this.#showBadge();
  }

  /**
   * Keeps the app for use without a network, and looks for a new version. To be called once the
   * wasm build `build` has passed its self-test, with whatever else this visit fetched and the next
   * one needs. Resolves to whether the app works without a network now; never fails.
   * @param {{build: string, files?: string[]}} needs `files` are paths in the site
   * @returns {Promise<boolean>}
   */
  async keep({ build, files = [] }) {
    this.#build = build;
    if (navigator.serviceWorker === undefined) return false; // no secure origin
    await this.#register();
    const registration = await navigator.serviceWorker.getRegistration();
    const worker = registration?.active ?? registration?.installing ?? registration?.waiting;
    if (!worker || !(await activated(worker))) return false;
    await Promise.allSettled(files.map((file) => fetch(file))); // through the worker, which keeps
    return true;
  }

  async #register() {
    const version = await newestVersion();
    this.#checked = Date.now();
    this.#unreachable = version === null;
    this.#showBadge();
    if (version === null) return;
    const address = new URL("sw.js", document.baseURI);
    address.search = String(new URLSearchParams({ version, build: this.#build }));
    try {
      this.#watch(await navigator.serviceWorker.register(address, { updateViaCache: "none" }));
    } catch (error) {
      console.warn("the app will not work without a network:", error);
    }
  }

  /** @param {ServiceWorkerRegistration} registration */
  #watch(registration) {
    this.#announce(registration);
    registration.addEventListener("updatefound", () => {
      const installing = registration.installing;
      installing?.addEventListener("statechange", () => this.#announce(registration));
    });
    registration.installing?.addEventListener("statechange", () => this.#announce(registration));
  }

  /** @param {ServiceWorkerRegistration} registration */
  #announce(registration) {
    const { waiting, active } = registration;
    if (this.#told || !waiting || !active || versionOf(waiting) === versionOf(active)) return;
    this.#told = true;
    const reload = () => {
      this.#asked = true;
      registration.waiting?.postMessage({ kind: "take-over" });
    };
    const later = () => this.#notice.replaceChildren();
    this.#notice.replaceChildren(
      h(
        "div",
        { class: "toast update" },
        h("span", {}, "A new version is ready."),
        h("button", { class: "button primary", type: "button", onclick: reload }, "Reload"),
        h("button", { class: "button", type: "button", onclick: later }, "Later"),
      ),
    );
  }

  #again() {
    const old = Date.now() - this.#checked > CHECK_AGAIN_MS;
    if (document.visibilityState === "visible" && this.#build && old) this.#register();
  }

  #showBadge() {
    this.#badge.hidden = navigator.onLine && !this.#unreachable;
  }
}

/**
 * How to install the app on this device, for the settings: a button where the browser has one.
 * @returns {HTMLElement}
 */
export function installCard() {
  const body = h("div", { class: "install" });
  const show = () => body.replaceChildren(...howToInstall());
  offers.addEventListener("change", show);
  show();
  return body;
}

/** @returns {HTMLElement[]} */
function howToInstall() {
  if (isInstalled()) return [h("p", {}, "Installed. It works without a network.")];
  if (offered !== null) {
    const install = () => offered?.prompt();
    const button = { class: "button", type: "button", onclick: install };
    return [h("button", button, "Install"), h("p", {}, "Then it opens like any other app.")];
  }
  if (navigator.serviceWorker === undefined) {
    return [h("p", {}, "Open this page over https to install it and to use it offline.")];
  }
  if (isApple()) {
    const how = "Tap the share button of Safari, then “Add to Home Screen”.";
    return [h("p", {}, how), h("p", {}, "Open it from there: it works without a network.")];
  }
  return [h("p", {}, "It works without a network already; a bookmark is all you need.")];
}

function isInstalled() {
  return matchMedia("(display-mode: standalone)").matches || appleStandalone() === true;
}

/** Only Safari on iPhone and iPad has the property at all. */
function isApple() {
  return appleStandalone() !== undefined;
}

/** @returns {boolean | undefined} */
function appleStandalone() {
  return /** @type {Navigator & {standalone?: boolean}} */ (navigator).standalone;
}

/** What version the server has; null if it cannot be reached. @returns {Promise<string | null>} */
async function newestVersion() {
  try {
    const response = await fetch("version.json", { cache: "no-cache" });
    const fromServer = response.ok && !response.headers.has("X-Kept");
    return fromServer ? (await response.json()).version : null;
  } catch {
    return null;
  }
}

/** @param {ServiceWorker} worker */
function versionOf(worker) {
  return new URL(worker.scriptURL).searchParams.get("version");
}

/** @param {ServiceWorker} worker @returns {Promise<boolean>} false if it could not be installed */
function activated(worker) {
  return new Promise((resolve) => {
    const look = () => {
      if (worker.state === "activated") resolve(true);
      if (worker.state === "redundant") resolve(false);
    };
    worker.addEventListener("statechange", look);
    look();
  });
}
