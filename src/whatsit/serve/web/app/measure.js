/** The view Measure: how fast each model is on this device, as a table, as bars and as a file. */

import { errorCard } from "./cards.js";
import { fill, h, write } from "./dom.js";
import { deviceFacts, deviceFile, fileName } from "./device_file.js";
import { accuracyOf } from "./facts.js";
import { measureAll, RUNS, WARMUP } from "./measure_run.js";
import { megabytes, milliseconds, percent } from "./numbers.js";
import { saveFile } from "./save_file.js";
import { appVersion } from "./site.js";

/** @typedef {import("./device_file.js").Measured} Measured */
/** @typedef {import("./device_file.js").Row} Row */
/** @typedef {import("./types.js").Listed} Listed */

const STYLE = "app/measure.css";
const LARGEST_BYTES = 12e6; // what is measured unasked: larger ones take a while to fetch
const STAGES = /** @type {const} */ (["preprocess", "inference", "post"]);
const LEGEND = "Time for one picture. The bars show preprocessing, inference and the rest.";
const CAVEATS =
  "Phones slow down when they are warm, on a low battery or in saving mode, and while the camera " +
  "runs. Measure twice, and compare only times of one run.";

/**
 * @param {any} app
 * @param {HTMLElement} element
 * @returns {import("./types.js").View}
 */
export function mount(app, element) {
  style();
  const view = new MeasureView(app);
  element.append(view.element);
  return { show: () => view.show(), hide: () => {} };
}

class MeasureView {
  #app;
  /** @type {AbortController | null} */
  #running = null;
  /** @type {Set<string> | null} names that were ticked; null for the first choice */
  #chosen = null;
  #models = h("fieldset", { class: "measure-models" });
  #status = h("p", { class: "muted measure-status", role: "status" });
  #progress = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Progress" });
  #start = h("button", { type: "button", class: "button primary" }, "Measure");
  #results = h("div", { class: "measure-results" });

  /** @param {any} app */
  constructor(app) {
    this.#app = app;
    this.#start.addEventListener("click", () => this.#pressed());
    app.models.addEventListener("change", () => this.#running === null && this.show());
    this.element = h(
      "div",
      { class: "measure" },
      h("h2", {}, "How fast is this device?"),
      h(
        "p",
        { class: "muted" },
        `Each model classifies one picture ${WARMUP} times to warm up and ${RUNS} times measured. ` +
          "The camera is best left off.",
      ),
      this.#models,
      h("div", { class: "measure-go" }, this.#start, this.#progress),
      this.#status,
      this.#results,
      h("section", { class: "measure-device" }, h("h3", {}, "This device"), facts(deviceFacts())),
      h("p", { class: "muted" }, CAVEATS),
    );
  }

  /** Draws the models to choose from. */
  show() {
    if (this.#running !== null) return;
    fill(
      this.#models,
      h("legend", {}, "Models"),
      ...this.#app.models.list().map((/** @type {Listed} */ model) => this.#choice(model)),
    );
  }

  /** @param {Listed} model */
  #choice(model) {
    const box = h("input", { type: "checkbox", value: model.name, checked: this.#isChosen(model) });
    box.addEventListener("change", () => (this.#chosen = new Set(this.#names())));
    const size = h("span", { class: "muted" }, megabytes(model.bytes));
    return h("label", { class: "measure-model" }, box, h("span", {}, model.name), size);
  }

  /** @param {Listed} model */
  #isChosen({ name, own, bytes }) {
    return this.#chosen?.has(name) ?? (!own && bytes <= LARGEST_BYTES);
  }

  /** @returns {string[]} the names that are ticked */
  #names() {
    const boxes = this.#models.querySelectorAll("input");
    return Array.from(boxes).filter((box) => box.checked).map((box) => box.value);
  }

  async #pressed() {
    if (this.#running !== null) {
      this.#running.abort();
      write(this.#status, "Stops after this model…");
      return;
    }
    const names = this.#names();
    if (names.length === 0) return write(this.#status, "Choose at least one model.");
    this.#running = new AbortController();
    this.#busy(true);
    try {
      await this.#run(names, this.#running.signal);
    } catch (error) {
      write(this.#status, "");
      fill(this.#results, errorCard(error));
    } finally {
      this.#running = null;
      this.#busy(false);
      this.show();
    }
  }

  /** @param {string[]} names @param {AbortSignal} signal */
  async #run(names, signal) {
    write(this.#status, "Getting ready…");
    await this.#app.ready;
    const measured = await measureAll(this.#app, names, {
      signal,
      onStep: ({ model, index, of, share }) => {
        this.#progress.value = (index + share) / of;
        if (!signal.aborted) write(this.#status, `${model}, ${index + 1} of ${of}`);
      },
      onRow: (all) => this.#show(all),
    });
    const done = measured.rows.length + measured.failed.length;
    const stopped = done < names.length ? `Stopped after ${done} of ${names.length} models.` : "";
    write(this.#status, stopped || `Done: ${measured.rows.length} measured.`);
    if (measured.rows.length) this.#results.append(await this.#ways(measured));
  }

  /** @param {boolean} busy */
  #busy(busy) {
    write(this.#start, busy ? "Stop" : "Measure");
    this.#progress.hidden = !busy;
    this.#models.disabled = busy;
  }

  /** @param {Measured} measured */
  #show({ rows, failed }) {
    fill(
      this.#results,
      rows.length > 0 && h("p", { class: "muted" }, LEGEND),
      rows.length > 0 && table(rows),
      ...failed.map(({ name, error }) =>
        h("p", { class: "measure-failed" }, `${name}: ${error.message}`),
      ),
    );
  }

  /** The buttons that give the file away. @param {Measured} measured */
  async #ways(measured) {
    const value = deviceFile(measured, { engine: this.#app.engine.facts, app: await appVersion() });
    const text = JSON.stringify(value, null, 1);
    const file = new File([text], fileName(measured.started), { type: "application/json" });
    const save = { class: "button", type: "button", onclick: () => saveFile(text, file.type, file.name) };
    const share = { class: "button", type: "button", onclick: () => this.#share(file) };
    return h(
      "div",
      { class: "measure-ways" },
      h("button", save, "Download as JSON"),
      navigator.canShare?.({ files: [file] }) && h("button", share, "Share"),
      h("p", { class: "muted" }, h("code", {}, `whatsit choose --device ${file.name}`)),
    );
  }

  /** @param {File} file */
  async #share(file) {
    try {
      await navigator.share({ files: [file], title: file.name });
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "AbortError") this.#app.fail(error);
    }
  }
}

/** @param {Row[]} rows */
function table(rows) {
  const slowest = Math.max(...rows.map(({ stages }) => stages.total.p95));
  const heads = ["Model", "Median", "p95", "Preprocess", "Inference", "Top-1", "Size", "Ran on"];
  return h(
    "div",
    { class: "measure-scroll", tabindex: "0", role: "region", "aria-label": "Times of the models" },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...rows.map((row) => rowOf(row, slowest))),
    ),
  );
}

/** @param {Row} row @param {number} slowest */
function rowOf({ name, stages, accuracy, bytes, engine }, slowest) {
  const best = accuracyOf(accuracy);
  const threads = `${engine.threads} thread${engine.threads === 1 ? "" : "s"}`;
  return h(
    "tr",
    { data: { model: name } },
    h("th", { scope: "row" }, name, bar(stages, slowest)),
    h("td", {}, milliseconds(stages.total.median)),
    h("td", {}, milliseconds(stages.total.p95)),
    h("td", {}, milliseconds(stages.preprocess.median)),
    h("td", {}, milliseconds(stages.inference.median)),
    h("td", {}, best ? percent(best.top1 / 100, 1) : "–"),
    h("td", {}, megabytes(bytes)),
    h("td", {}, `${engine.build}, ${threads}`),
  );
}

/** @param {Record<string, {median: number}>} stages @param {number} slowest */
function bar(stages, slowest) {
  const parts = STAGES.map((stage) => {
    const width = `${((100 * stages[stage].median) / slowest).toFixed(2)}%`;
    return h("i", { class: stage, style: { width } });
  });
  return h("span", { class: "measure-bar", "aria-hidden": "true" }, ...parts);
}

/** @param {Record<string, unknown>} device */
function facts(device) {
  const named = { name: "Device", platform: "System", cores: "Cores", memory_gb: "Memory, at least" };
  const rows = Object.entries(named).map(([key, label]) => {
    const value = device[key] ?? "not told";
    const text = key === "memory_gb" && device[key] ? `${value} GB` : String(value);
    return h("div", {}, h("dt", {}, label), h("dd", {}, text));
  });
  return h("dl", {}, ...rows);
}

/** The view's own rules, once. */
function style() {
  if (document.querySelector(`link[href="${STYLE}"]`)) return;
  document.head.append(h("link", { rel: "stylesheet", href: STYLE }));
}
