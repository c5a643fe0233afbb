/** The view “Teach”: pictures of one's own classes become a model, on the device alone. */

import { h } from "../dom.js";
import { Backbone } from "./backbone.js";
import { ClassList } from "./class_list.js";
import { Embedder } from "./learner.js";
import { LessonCard } from "./lesson_card.js";
import { Page } from "./page.js";
import { Project } from "./project.js";
import { Taught } from "./taught.js";
import { Trial } from "./trial.js";
import { Undo } from "./undo.js";
import { TEACH } from "./words.js";

/** @typedef {import("../types.js").App} App */

/**
 * @param {App} app
 * @param {HTMLElement} element
 * @returns {Promise<import("../types.js").View>}
 */
export async function mount(app, element) {
  await styles();
  const teach = new Teach(app, element);
  await teach.load();
  return { show: () => teach.show(), hide: () => teach.hide() };
}

class Teach {
  #shown = false;
  /** What is on the card. @type {import("../../core/teach/lesson.js").Lesson|null} */
  #lesson = null;

  /**
   * @param {App} app
   * @param {HTMLElement} element
   */
  constructor(app, element) {
    this.app = app;
    this.stage = app.stage;
    const shown = () => this.#shown;
    this.project = new Project(() => app.store, () => app.say(TEACH.notKept, "bad"));
    this.backbone = new Backbone(app, this.project, () => this.#shown && this.#chosen());
    this.undo = new Undo();
    this.trial = new Trial(app);
    this.embedder = new Embedder(this.project, {
      engine: () => (this.#shown && this.backbone.isOpen ? app.engine : null),
      bad: (picture) => this.classes.drop(picture),
      fail: (error) => app.fail(error),
    });
    this.card = new LessonCard(this.trial.element, {
      keep: this.#work(() => this.#keep()),
      download: this.#work(() => this.taught.download()),
      picture: (file) => void this.#work(() => this.trial.picture(file))(),
    });
    const parts = { lesson: this.card.element, undo: this.undo.element };
    this.page = new Page(element, parts, this.#ways());
    const { project, backbone, embedder, page, undo } = this;
    this.classes = new ClassList(page.list, { app, project, undo, input: () => backbone.input });
    this.taught = new Taught({ project, backbone, embedder, page, shown });
    this.#listen();
  }

  async load() {
    try {
      await this.app.ready;
      await this.project.load();
    } catch (error) {
      this.app.fail(error);
    }
    this.classes.show();
    this.#changed();
  }

  show() {
    this.#shown = true;
    this.stage.instead = null;
    this.stage.mount(this.page.wrap);
    this.#staged();
    void this.#work(() => this.#open())();
  }

  hide() {
    this.#shown = false;
    this.classes.release();
    this.trial.stop();
    this.embedder.pause();
    this.stage.stop();
    void this.project.flush();
    void this.#work(() => this.backbone.giveBack())();
  }

  /** @returns {import("./page.js").Ways} */
  #ways() {
    const { stage } = this;
    return {
      startCamera: () => void stage.start(),
      stopCamera: () => stage.stop(),
      flip: () => stage.flip(),
      rename: (name) => this.project.rename(name),
      addClass: () => this.classes.add(),
      teach: this.#work(() => this.#learn()),
      archive: this.#work(() => this.taught.archive()),
      clear: this.#work(() => this.#clear()),
    };
  }

  #listen() {
    const { project, classes, taught } = this;
    project.addEventListener("change", () => this.#changed());
    classes.addEventListener("picture", () => void this.embedder.run());
    classes.addEventListener("hold", () => this.#tried());
    classes.addEventListener("release", (event) => {
      const { name, pictures } = /** @type {CustomEvent} */ (event).detail;
      this.#changed();
      this.page.say(TEACH.counted(name, pictures.length));
      this.#tried();
    });
    taught.addEventListener("change", () => {
      this.#changed();
      this.#showLesson();
      this.#tried();
    });
    this.stage.addEventListener("change", () => this.#shown && this.#staged());
    window.addEventListener("pagehide", () => void project.flush());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") void project.flush();
    });
  }

  // ── the model that is built on ─────────────────────────────────────────────────────────────

  /** It is put into use, and looks at what it has not seen. */
  async #open() {
    await this.backbone.open(() => this.#shown);
    this.#built();
  }

  #chosen() {
    void this.#work(async () => {
      await this.backbone.choose();
      this.#built();
    })();
  }

  #built() {
    this.page.backbone.textContent = TEACH.builtOn(this.project.backbone);
    void this.embedder.run();
    this.#tried();
  }

  // ── teaching ───────────────────────────────────────────────────────────────────────────────

  async #learn() {
    await this.taught.teach();
    this.card.element.scrollIntoView({ block: "nearest" });
  }

  async #keep() {
    const lesson = await this.taught.now();
    if (lesson === null) return;
    const name = this.app.models.free(this.taught.name);
    await this.backbone.keep(name, lesson.bytes);
    this.app.say(TEACH.kept(name), "good");
    this.app.open("look");
  }

  async #clear() {
    this.undo.close();
    this.taught.forget();
    await this.project.clear();
    await this.#open();
  }

  // ── what is shown ──────────────────────────────────────────────────────────────────────────

  #changed() {
    this.classes.refresh();
    const { lesson, stale, busy } = this.taught;
    this.page.show(this.project, { taught: lesson !== null, stale, busy, held: this.classes.held });
  }

  /** What was taught last, on its card. */
  #showLesson() {
    const { lesson } = this.taught;
    if (lesson === this.#lesson) return;
    this.#lesson = lesson;
    if (lesson === null) this.card.hide();
    else {
      this.trial.use(lesson);
      this.card.show(lesson);
    }
  }

  #staged() {
    const { mode } = this.stage;
    // What another view was still opening when it was left.
    if (mode === "picture" || mode === "video") this.stage.stop();
    this.page.staged(this.stage);
    this.#tried();
  }

  /** Tries what was taught whenever the camera runs and nothing is collected. */
  #tried() {
    const { taught, classes } = this;
    const free = this.#shown && !taught.busy && !classes.held && this.backbone.isOpen;
    if (free && taught.lesson !== null && this.stage.mode === "camera") this.trial.start();
    else this.trial.stop();
  }

  /**
   * Work that tells what fails on a card.
   * @param {() => Promise<unknown>} work
   */
  #work(work) {
    return async () => {
      try {
        await work();
      } catch (error) {
        this.app.fail(error);
      }
    };
  }
}

/** The view's own stylesheet, there before anything is shown. @returns {Promise<void>} */
function styles() {
  const href = new URL("./teach.css", import.meta.url).href;
  return new Promise((resolve) => {
    const done = () => resolve();
    document.head.append(h("link", { rel: "stylesheet", href, onload: done, onerror: done }));
  });
}
