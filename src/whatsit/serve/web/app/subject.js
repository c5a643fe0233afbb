/** What the view “Look” looks at but the camera: one picture, one video, or a list of files. */

import { WhatsitError } from "../core/errors.js";
import { errorCard, named } from "./cards.js";
import { Several } from "./several.js";
import { siteFile } from "./site.js";
import { isModel, isVideo, nameOf } from "./sources.js";
import { Still } from "./still.js";
import { WORDS } from "./words.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").App} App */

/** Event: `list`, when there is another list of files, or none. */
export class Subject extends EventTarget {
  /** Whether the view is on the screen: only then is the stage its own. */
  shown = false;
  /** @type {Several|null} */
  several = null;
  /** @type {File|null} */
  #video = null;
  #turn = 0; // what was begun in an earlier one no longer takes the stage

  /**
   * @param {Object} parts
   * @param {App} parts.app
   * @param {import("./results.js").Results} parts.results
   * @param {() => object} parts.options Of Engine.classify.
   * @param {() => void} parts.answered A picture has its answer.
   */
  constructor({ app, results, options, answered }) {
    super();
    this.app = app;
    this.stage = app.stage;
    this.results = results;
    this.options = options;
    const failed = (/** @type {unknown} */ error, /** @type {Blob} */ blob) => {
      this.#failed(error, nameOf(blob));
    };
    this.still = new Still({ app, results, options, answered, failed });
    this.stage.video.addEventListener("error", () => {
      if (this.#video && this.stage.mode === "video") this.#failed(unplayable(this.#video));
    });
  }

  /** Whether the list is what is shown. */
  get lists() {
    const one = this.still.blob ?? this.#video;
    return this.several !== null && one === null && this.stage.mode === "empty";
  }

  /** How many files are in the list behind the one that is shown. */
  get behind() {
    return this.lists ? 0 : (this.several?.count ?? 0);
  }

  /** What is told over the picture or the video. */
  get line() {
    return this.still.blob ? this.still.line : nameOf(this.#video ?? new Blob());
  }

  /** Puts it on the stage again, which another view may have had. */
  restore() {
    const { blob } = this.still;
    if (blob && this.stage.mode !== "picture") this.#showStill(blob);
    else if (this.#video && this.stage.mode !== "video") void this.stage.showVideo(this.#video);
  }

  /** Another model or rule. */
  again() {
    void this.still.again();
    void this.several?.again();
  }

  /** @param {import("./sources.js").Sample} sample */
  async sample(sample) {
    const turn = ++this.#turn;
    try {
      const response = await siteFile(`samples/${sample.file}`);
      const file = new File([await response.blob()], sample.file);
      if (turn !== this.#turn) return;
      this.leave();
      this.#picture(file, WORDS.stage.credit(sample.by));
    } catch (error) {
      if (turn === this.#turn) this.app.fail(error);
    }
  }

  /**
   * Files of any kind: models are opened, a video is played, pictures are answered.
   *
   * @param {File[]} files
   */
  async take(files) {
    const turn = ++this.#turn;
    const rest = files.filter((file) => !isModel(file));
    for (const file of files.filter(isModel)) await this.#model(file);
    if (rest.length === 0 || turn !== this.#turn) return;
    this.leave();
    if (rest.length > 1) this.#list(rest);
    else this.#open(rest[0]);
  }

  /** @param {File} file */
  async #model(file) {
    try {
      await this.app.ready;
      const facts = await this.app.models.addOwn(file);
      this.app.say(`${facts.name}: ${WORDS.settings.using}`, "good");
    } catch (error) {
      this.app.fail(error);
    }
  }

  /**
   * One file on the stage.
   *
   * @param {File} file
   * @param {Answer|null} [answer] Where it has one.
   */
  #open(file, answer = null) {
    if (!isVideo(file)) {
      this.#picture(file, nameOf(file), answer);
      return;
    }
    this.#video = file;
    this.results.wait(WORDS.verdict.looking);
    void this.stage.showVideo(file);
  }

  /**
   * @param {Blob} blob
   * @param {string} line What is told of it over the picture.
   * @param {Answer|null} [answer]
   */
  #picture(blob, line, answer = null) {
    this.results.wait(WORDS.verdict.looking);
    void this.still.take(blob, line, answer); // first: the stage's change asks for its line
    this.#showStill(blob);
  }

  /** @param {Blob} blob */
  #showStill(blob) {
    this.stage.showPicture(blob, WORDS.stage.picture(nameOf(blob)));
  }

  /** @param {File[]} files */
  #list(files) {
    const several = new Several(files, {
      app: this.app,
      options: this.options,
      open: ({ file, answer }) => this.#open(file, answer),
      told: (words, last) => {
        if (!this.lists) return;
        this.results.wait(words);
        if (last) this.results.announcer.say(words);
      },
    });
    this.several = several;
    this.dispatchEvent(new Event("list"));
    this.showList();
    void several.again();
  }

  /** Back from one of the list, or to it for the first time. */
  showList() {
    if (!this.several) return;
    this.still.forget();
    this.#video = null;
    this.stage.stop();
    this.results.wait(this.several.words);
  }

  /** What is under way no longer takes the stage. */
  halt() {
    this.#turn++;
  }

  /** Forgets what was shown. */
  leave() {
    this.#turn++;
    this.several?.close();
    this.several = null;
    this.#video = null;
    this.still.forget();
    this.dispatchEvent(new Event("list"));
  }

  /**
   * What could not be shown, in its place; over another view, among its cards.
   *
   * @param {unknown} error
   * @param {string} [name]
   */
  #failed(error, name = "") {
    this.still.forget();
    this.#video = null;
    if (!this.shown) {
      this.app.fail(named(error, name));
      return;
    }
    this.stage.explain(errorCard(named(error, name), () => this.#away()));
  }

  /** From an error to where one was before. */
  #away() {
    if (this.several) this.showList();
    else {
      this.leave();
      this.stage.stop();
    }
  }
}

/** @param {Blob} video */
function unplayable(video) {
  const { video: words, videoExpected: expected, videoHint: hint } = WORDS.errors;
  return new WhatsitError("video-unreadable", words(nameOf(video)), { expected, hint });
}
