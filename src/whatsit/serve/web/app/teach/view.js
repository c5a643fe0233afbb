/** The view “Teach”: pictures of one's own classes become a model, on the device alone. */

import { archive, safeName } from "../../core/teach/archive.js";
import { h } from "../dom.js";
import { saveFile, saveModel } from "../save_file.js";
import { nameOf } from "../sources.js";
import { Backbone } from "./backbone.js";
import { ClassCard } from "./class_card.js";
import { ofFile, ofVideo } from "./collect.js";
import { Embedder, learn } from "./learner.js";
import { LessonCard } from "./lesson_card.js";
import { Page } from "./page.js";
import { MOST_PICTURES, Project } from "./project.js";
import { Trial } from "./trial.js";
import { Undo } from "./undo.js";
import { TEACH } from "./words.js";

const LOOK_MS = 50; // between two looks at how far it is

/** @typedef {import("../types.js").App} App */
/** @typedef {import("./project.js").Class} Class */
/** @typedef {import("./project.js").Picture} Picture */
/** @typedef {import("../../core/teach/lesson.js").Lesson} Lesson */

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
  #held = 0; // buttons that are held
  #busy = false;
  /** What was taught, and the project's version then. @type {{lesson: Lesson, version: number}|null} */
  #taught = null;
  /** @type {Map<Class, ClassCard>} */
  #cards = new Map();

  /**
   * @param {App} app
   * @param {HTMLElement} element
   */
  constructor(app, element) {
    this.app = app;
    this.stage = app.stage;
    this.project = new Project(() => app.store, () => app.say(TEACH.notKept, "bad"));
    this.backbone = new Backbone(app, this.project, () => this.#shown && this.#chosen());
    this.undo = new Undo();
    this.trial = new Trial(app);
    this.embedder = new Embedder(this.project, {
      engine: () => (this.#shown && this.backbone.isOpen ? app.engine : null),
      bad: (picture) => this.#bad(picture),
      fail: (error) => app.fail(error),
    });
    this.lesson = new LessonCard(this.trial.element, {
      keep: this.#work(() => this.#keep()),
      download: this.#work(() => this.#download()),
      picture: (file) => void this.#work(() => this.trial.picture(file))(),
    });
    const parts = { lesson: this.lesson.element, undo: this.undo.element };
    this.page = new Page(element, parts, this.#ways());
    this.#listen();
  }

  async load() {
    try {
      await this.app.ready;
      await this.project.load();
    } catch (error) {
      this.app.fail(error);
    }
    this.#showClasses();
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
    for (const card of this.#cards.values()) card.release();
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
      addClass: () => this.#addClass(),
      teach: this.#work(() => this.#learn()),
      archive: this.#work(() => this.#archive()),
      clear: this.#work(() => this.#clear()),
    };
  }

  #listen() {
    this.project.addEventListener("classes", () => this.#showClasses());
    this.project.addEventListener("change", () => this.#changed());
    this.stage.addEventListener("change", () => this.#shown && this.#staged());
    window.addEventListener("pagehide", () => void this.project.flush());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") void this.project.flush();
    });
  }

  /** The model that is built on is put into use, and looks at what it has not seen. */
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

  // ── classes and pictures ───────────────────────────────────────────────────────────────────

  #showClasses() {
    for (const [one, card] of this.#cards) {
      if (this.project.classes.includes(one)) continue;
      card.close();
      this.#cards.delete(one);
    }
    this.project.classes.forEach((one, place) => {
      const { element } = this.#cards.get(one) ?? this.#card(one);
      const there = this.page.list.children[place] ?? null;
      if (there !== element) this.page.list.insertBefore(element, there);
    });
  }

  /** @param {Class} one */
  #card(one) {
    const { project, undo } = this;
    const card = new ClassCard(one, {
      rename: (name) => project.renameClass(one, name),
      remove: () => undo.offer(TEACH.removedClass(one.name), project.removeClass(one)),
      hold: (held) => this.#hold(one, held),
      take: this.#work(() => this.#take(one)),
      files: (files) => void this.#files(one, files),
      removePicture: (picture) =>
        undo.offer(TEACH.removedPicture(one.name), project.remove(one, picture)),
    });
    this.#cards.set(one, card);
    return card;
  }

  #addClass() {
    const card = this.#cards.get(this.project.addClass());
    card?.element.scrollIntoView({ block: "nearest" });
    card?.name.focus();
  }

  /**
   * @param {Class} one
   * @param {boolean} held
   */
  #hold(one, held) {
    const { stage } = this;
    this.#held += held ? 1 : -1;
    if (held) {
      this.trial.stop();
      if (stage.mode !== "camera" && stage.mode !== "waiting") void stage.start();
      else if (stage.paused) void stage.resume();
    } else {
      this.#changed();
      this.page.say(TEACH.counted(one.name, one.pictures.length));
      this.#tried();
    }
  }

  /** @param {Class} one */
  async #take(one) {
    const { mode, video } = this.stage;
    if (mode !== "camera" || video.readyState < 2) return;
    const moment = Date.now();
    this.#add(one, await ofVideo(video, this.backbone.input), moment);
  }

  /**
   * @param {Class} one
   * @param {File[]} files
   */
  async #files(one, files) {
    for (const file of files) {
      try {
        if (!this.#add(one, await ofFile(file, this.backbone.input), null)) return;
      } catch {
        this.app.say(TEACH.unread(nameOf(file)), "bad");
      }
    }
  }

  /**
   * @param {Class} one
   * @param {Blob} blob
   * @param {number|null} moment
   */
  #add(one, blob, moment) {
    const added = this.project.add(one, { blob, moment });
    if (added) void this.embedder.run();
    else this.app.say(TEACH.tooMany(MOST_PICTURES), "bad");
    return added;
  }

  /** @param {Picture} picture */
  #bad(picture) {
    const one = this.project.classes.find(({ pictures }) => pictures.includes(picture));
    if (one) this.project.remove(one, picture);
    this.app.say(TEACH.unread(""), "bad");
  }

  // ── teaching ───────────────────────────────────────────────────────────────────────────────

  async #learn() {
    if (this.#busy) return;
    this.#busy = true;
    this.trial.stop();
    this.#changed();
    try {
      const { project, page } = this;
      await this.#seen();
      const parent = await this.backbone.file();
      const { version } = project;
      page.say(TEACH.fitting);
      const lesson = await learn(project, parent, (done, total) => page.step(done, total));
      this.#taught = { lesson, version };
      this.trial.use(lesson);
      this.lesson.show(lesson);
    } finally {
      this.#busy = false;
      this.#changed();
      this.#tried();
    }
    this.lesson.element.scrollIntoView({ block: "nearest" });
  }

  /** Waits until all pictures have embeddings. */
  async #seen() {
    const { project, embedder } = this;
    if (!this.backbone.isOpen) await this.#open();
    for (let left = embedder.left; left > 0 && this.#shown; left = embedder.left) {
      const done = project.count - left;
      this.page.say(TEACH.looking(done + 1, project.count));
      this.page.step(done, project.count);
      void embedder.run();
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** What was taught, of the project as it is now. */
  async #now() {
    if (this.#taught?.version !== this.project.version) await this.#learn();
    return this.#taught?.version === this.project.version ? this.#taught.lesson : null;
  }

  async #keep() {
    const lesson = await this.#now();
    if (lesson === null) return;
    const name = this.app.models.free(safeName(this.project.name, "model"));
    await this.backbone.keep(name, lesson.bytes);
    this.app.say(TEACH.kept(name), "good");
    this.app.open("look");
  }

  async #download() {
    const lesson = await this.#now();
    if (lesson === null) return;
    saveModel(lesson.bytes, safeName(this.project.name, "model"));
  }

  async #archive() {
    const read = async (/** @type {Picture} */ { blob }) => ({
      bytes: new Uint8Array(await blob.arrayBuffer()),
      type: blob.type,
    });
    const filled = this.project.classes.filter(({ pictures }) => pictures.length);
    const classes = filled.map(async ({ name, pictures }) => ({
      name: name.trim(),
      pictures: await Promise.all(pictures.map(read)),
    }));
    const bytes = archive(await Promise.all(classes));
    saveFile(bytes, "application/zip", `${safeName(this.project.name, "pictures")}.zip`);
  }

  async #clear() {
    this.undo.close();
    this.#taught = null;
    this.trial.stop();
    this.lesson.hide();
    await this.project.clear();
    await this.#open();
  }

  // ── what is shown ──────────────────────────────────────────────────────────────────────────

  #changed() {
    for (const card of this.#cards.values()) card.show();
    const taught = this.#taught !== null;
    const stale = taught && this.#taught?.version !== this.project.version;
    this.page.show(this.project, { taught, stale, busy: this.#busy, held: this.#held > 0 });
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
    const free = this.#shown && !this.#busy && this.#held === 0 && this.backbone.isOpen;
    if (free && this.#taught !== null && this.stage.mode === "camera") this.trial.start();
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
