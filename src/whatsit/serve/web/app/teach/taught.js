/** What was taught, and what can be saved: the model, and the pictures as an archive. */

import { archive, safeName } from "../../core/teach/archive.js";
import { saveFile, saveModel } from "../save_file.js";
import { learn } from "./learner.js";
import { TEACH } from "./words.js";

const LOOK_MS = 50; // between two looks at how far it is

/** @typedef {import("../../core/teach/lesson.js").Lesson} Lesson */
/** @typedef {import("./backbone.js").Backbone} Backbone */
/** @typedef {import("./learner.js").Embedder} Embedder */
/** @typedef {import("./page.js").Page} Page */
/** @typedef {import("./project.js").Picture} Picture */
/** @typedef {import("./project.js").Project} Project */
/**
 * @typedef {Object} Parts
 * @property {Project} project
 * @property {Backbone} backbone
 * @property {Embedder} embedder
 * @property {Page} page
 * @property {() => boolean} shown Whether somebody waits for it.
 */

/** Event: `change`, when teaching begins and ends, and when it is forgotten. */
export class Taught extends EventTarget {
  #project;
  #backbone;
  #embedder;
  #page;
  #shown;
  /** With the project's version then. @type {{lesson: Lesson, version: number}|null} */
  #last = null;
  #busy = false;

  /** @param {Parts} parts */
  constructor({ project, backbone, embedder, page, shown }) {
    super();
    this.#project = project;
    this.#backbone = backbone;
    this.#embedder = embedder;
    this.#page = page;
    this.#shown = shown;
  }

  /** @returns {Lesson|null} */
  get lesson() {
    return this.#last?.lesson ?? null;
  }

  get busy() {
    return this.#busy;
  }

  /** Whether the pictures have changed since. */
  get stale() {
    return this.#last !== null && this.#last.version !== this.#project.version;
  }

  forget() {
    this.#last = null;
    this.#changed();
  }

  /** Teaches, unless that is being done; given up if the view is left before all was looked at. */
  async teach() {
    if (this.#busy) return;
    this.#busy = true;
    this.#changed();
    try {
      if (!(await this.#seen())) return;
      const parent = await this.#backbone.file();
      const { version } = this.#project;
      this.#page.say(TEACH.fitting);
      const step = (/** @type {number} */ done, /** @type {number} */ total) =>
        this.#page.step(done, total);
      this.#last = { lesson: await learn(this.#project, parent, step), version };
    } finally {
      this.#busy = false;
      this.#changed();
    }
  }

  /** The lesson of the project as it is now; null if that cannot be had. */
  async now() {
    if (this.#last === null || this.stale) await this.teach();
    return this.stale ? null : this.lesson;
  }

  /** What the model is to be called where it goes. */
  get name() {
    return safeName(this.#project.name, "model");
  }

  /** Saves the model as a file. */
  async download() {
    const lesson = await this.now();
    if (lesson !== null) saveModel(lesson.bytes, this.name);
  }

  /** Saves the pictures, a folder for each class, as `whatsit train` reads them. */
  async archive() {
    const filled = this.#project.classes.filter(({ pictures }) => pictures.length);
    const classes = filled.map(async ({ name, pictures }) => ({
      name: name.trim(),
      pictures: await Promise.all(pictures.map(read)),
    }));
    const bytes = archive(await Promise.all(classes));
    saveFile(bytes, "application/zip", `${safeName(this.#project.name, "pictures")}.zip`);
  }

  /** Waits until all pictures have embeddings; false if nobody waits any more. */
  async #seen() {
    const [project, embedder] = [this.#project, this.#embedder];
    if (!this.#backbone.isOpen) await this.#backbone.open(this.#shown);
    for (let left = embedder.left; left > 0; left = embedder.left) {
      if (!this.#shown()) return false;
      const done = project.count - left;
      this.#page.say(TEACH.looking(done + 1, project.count));
      this.#page.step(done, project.count);
      void embedder.run();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return true;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {Picture} picture */
async function read({ blob }) {
  return { bytes: new Uint8Array(await blob.arrayBuffer()), type: blob.type };
}
