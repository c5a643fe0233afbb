/** The classes on the screen, and the pictures that come into them: camera, files, undo. */

import { nameOf } from "../sources.js";
import { ClassCard } from "./class_card.js";
import { ofFile, ofVideo } from "./collect.js";
import { MOST_PICTURES } from "./project.js";
import { TEACH } from "./words.js";

/** @typedef {import("../types.js").App} App */
/** @typedef {import("./project.js").Class} Class */
/** @typedef {import("./project.js").Picture} Picture */
/** @typedef {import("./project.js").Project} Project */
/**
 * @typedef {Object} Parts
 * @property {App} app
 * @property {Project} project
 * @property {import("./undo.js").Undo} undo
 * @property {() => [number, number]} input The size of what the model takes, height first.
 */

/**
 * Events: `picture`, when there is a new one; `hold` and `release` (detail: the Class), when a
 * button that collects is pressed and let go.
 */
export class ClassList extends EventTarget {
  element;
  #app;
  #project;
  #undo;
  #input;
  #held = 0; // buttons that are pressed
  /** @type {Map<Class, ClassCard>} */
  #cards = new Map();

  /**
   * @param {HTMLElement} element
   * @param {Parts} parts
   */
  constructor(element, { app, project, undo, input }) {
    super();
    this.element = element;
    this.#app = app;
    this.#project = project;
    this.#undo = undo;
    this.#input = input;
    project.addEventListener("classes", () => this.show());
  }

  /** Whether pictures are being collected. */
  get held() {
    return this.#held > 0;
  }

  /** Puts a card for each class on the screen, in their order. */
  show() {
    const { classes } = this.#project;
    for (const [one, card] of this.#cards) {
      if (classes.includes(one)) continue;
      card.close();
      this.#cards.delete(one);
    }
    classes.forEach((one, place) => {
      const { element } = this.#cards.get(one) ?? this.#card(one);
      const there = this.element.children[place] ?? null;
      if (there !== element) this.element.insertBefore(element, there);
    });
  }

  /** Draws what has changed in the classes. */
  refresh() {
    for (const card of this.#cards.values()) card.show();
  }

  /** Lets go of the buttons: the view is left. */
  release() {
    for (const card of this.#cards.values()) card.release();
  }

  add() {
    const card = this.#cards.get(this.#project.addClass());
    card?.element.scrollIntoView({ block: "nearest" });
    card?.name.focus();
  }

  /**
   * A picture that turned out to be none.
   * @param {Picture} picture
   */
  drop(picture) {
    const one = this.#project.classes.find(({ pictures }) => pictures.includes(picture));
    if (one) this.#project.remove(one, picture);
    this.#app.say(TEACH.unread(""), "bad");
  }

  /** @param {Class} one */
  #card(one) {
    const [project, undo] = [this.#project, this.#undo];
    const card = new ClassCard(one, {
      rename: (name) => project.renameClass(one, name),
      remove: () => undo.offer(TEACH.removedClass(one.name), project.removeClass(one)),
      hold: (held) => this.#hold(one, held),
      take: () => void this.#take(one).catch(this.#app.fail),
      files: (files) => void this.#files(one, files),
      removePicture: (picture) =>
        undo.offer(TEACH.removedPicture(one.name), project.remove(one, picture)),
    });
    this.#cards.set(one, card);
    return card;
  }

  /**
   * @param {Class} one
   * @param {boolean} held
   */
  #hold(one, held) {
    const { stage } = this.#app;
    this.#held += held ? 1 : -1;
    this.dispatchEvent(new CustomEvent(held ? "hold" : "release", { detail: one }));
    if (!held) return;
    if (stage.mode !== "camera" && stage.mode !== "waiting") void stage.start();
    else if (stage.paused) void stage.resume();
  }

  /** @param {Class} one */
  async #take(one) {
    const { mode, video } = this.#app.stage;
    if (mode !== "camera" || video.readyState < 2) return;
    const moment = Date.now();
    this.#add(one, await ofVideo(video, this.#input()), moment);
  }

  /**
   * @param {Class} one
   * @param {File[]} files
   */
  async #files(one, files) {
    for (const file of files) {
      try {
        if (!this.#add(one, await ofFile(file, this.#input()), null)) return;
      } catch {
        this.#app.say(TEACH.unread(nameOf(file)), "bad");
      }
    }
  }

  /**
   * @param {Class} one
   * @param {Blob} blob
   * @param {number|null} moment
   */
  #add(one, blob, moment) {
    const added = this.#project.add(one, { blob, moment });
    if (added) this.dispatchEvent(new Event("picture"));
    else this.#app.say(TEACH.tooMany(MOST_PICTURES), "bad");
    return added;
  }
}
