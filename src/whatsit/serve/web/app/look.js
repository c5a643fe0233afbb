/** The view “Look”: the camera, a picture, several, or a video, and what is in them. */

import { WhatsitError } from "../core/errors.js";
import { errorCard, whatsitError } from "./cards.js";
import { Controls, startScreen } from "./controls.js";
import { attribute, fill, h } from "./dom.js";
import { cropOf } from "./fit.js";
import { Gallery, galleryWords } from "./gallery.js";
import { Live } from "./live.js";
import { Results } from "./results.js";
import { chooser, dropAndPaste, isModel, isVideo, nameOf } from "./sources.js";
import { Steady } from "./steady.js";
import { said } from "./verdict.js";
import { WORDS } from "./words.js";

const FACTS_MS = 500; // numbers that change faster cannot be read
const NOTED = 40; // answers after which their median is worth keeping

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").App} App */

/**
 * @param {App} app
 * @param {HTMLElement} element
 * @returns {import("./types.js").View & {results: Results}}
 */
export function mount(app, element) {
  const look = new Look(app, element);
  return { show: () => look.show(), hide: () => look.hide(), results: look.results };
}

class Look {
  #shown = false;
  #resume = false; // the camera ran when another view was chosen
  #call = 0;
  #facts_ms = 0;
  /** @type {Steady|null} */
  #steady = null;
  /** @type {Gallery|null} */
  #gallery = null;
  /** @type {{blob: Blob, answer: Answer|null}|null} */
  #still = null;

  /**
   * @param {App} app
   * @param {HTMLElement} element
   */
  constructor(app, element) {
    this.app = app;
    this.stage = app.stage;
    this.results = new Results(app.state);
    this.live = new Live({
      engine: () => app.engine,
      state: app.state,
      stage: app.stage,
      rule: () => this.#rule(),
    });
    this.wrap = h("div", { class: "stage-wrap" });
    this.list = h("div", { class: "stage-list", hidden: true });
    const ways = this.#ways();
    this.controls = new Controls(ways);
    this.start = startScreen(ways);
    const { top, player, bar } = this.controls;
    const drop = h("div", { class: "drop", "aria-hidden": "true" }, WORDS.start.drop);
    this.wrap.append(this.start, this.list, top, h("div", { class: "stage-foot" }, player, bar), drop);
    element.classList.add("look");
    element.append(this.wrap, this.results.element);
    this.#listen();
  }

  show() {
    this.#shown = true;
    if (!this.#moving && this.stage.mode !== "picture") this.#still = null; // another view had it
    this.stage.instead = () => this.pick();
    this.stage.mount(this.wrap);
    if (this.#resume) void this.camera();
    this.#resume = false;
    this.#changed();
  }

  hide() {
    this.#shown = false;
    this.#resume = this.stage.mode === "camera";
    this.live.stop();
    if (this.#resume) this.stage.stop();
    else this.stage.pause();
  }

  /** @returns {import("./controls.js").Ways} */
  #ways() {
    this.pick = chooser(this.wrap, (files) => void this.take(files));
    return {
      camera: () => void this.camera(),
      pick: () => this.pick(),
      flip: () => void this.stage.flip(),
      toggle: () => this.toggle(),
      home: () => this.home(),
      back: () => this.#showGallery(),
      outline: (shown) => this.app.state.set("outline", shown ? 1 : 0),
      sample: (sample) => void this.sample(sample),
    };
  }

  pick = () => {};

  #listen() {
    const { state, models } = this.app;
    this.stage.addEventListener("change", () => this.#changed());
    this.stage.frame.addEventListener("click", () => this.#moving && this.toggle());
    this.live.addEventListener("answer", (event) => {
      this.#liveAnswer(/** @type {CustomEvent<Answer>} */ (event).detail);
    });
    this.live.addEventListener("error", (event) => {
      this.app.fail(/** @type {CustomEvent} */ (event).detail);
    });
    this.#listenToVideo();
    for (const key of ["top", "threshold"]) state.on(key, () => this.#redraw());
    for (const key of ["rule", "coverage", "acceptance"]) state.on(key, () => this.#again());
    for (const key of ["smoothing", "threshold", "top"]) state.on(key, () => (this.#steady = null));
    for (const key of ["facing", "device"]) state.on(key, () => this.#otherCamera());
    state.on("outline", () => this.#outline());
    models.addEventListener("use", () => this.#again());
    dropAndPaste({
      active: () => this.#shown,
      take: (files) => void this.take(files),
      hover: (over) => attribute(this.wrap, "data-drop", over),
    });
  }

  #listenToVideo() {
    const { video } = this.stage;
    this.controls.follow(video);
    video.addEventListener("seeking", () => (this.#steady = null));
    video.addEventListener("seeked", () => {
      if (this.stage.mode === "video" && this.stage.paused) void this.live.once();
    });
    video.addEventListener("error", () => {
      if (this.stage.mode !== "video") return;
      const name = this.#still ? nameOf(this.#still.blob) : "";
      const { videoExpected: expected, videoHint: hint } = WORDS.errors;
      const words = WORDS.errors.video(name);
      this.#card(new WhatsitError("video-unreadable", words, { expected, hint }));
    });
  }

  get #moving() {
    return this.stage.mode === "camera" || this.stage.mode === "video";
  }

  async camera() {
    this.#leave();
    await this.stage.start();
  }

  /** The camera is started, or what moves is stopped and goes on. */
  toggle() {
    if (!this.#moving) void this.camera();
    else if (this.stage.paused) void this.stage.resume();
    else this.stage.pause();
  }

  home() {
    this.#leave();
    this.stage.stop();
    this.results.announcer.say("");
    this.wrap.querySelector("button")?.focus({ preventScroll: true });
    this.start.querySelector("button")?.focus({ preventScroll: true });
  }

  /** @param {import("./sources.js").Sample} sample */
  async sample(sample) {
    try {
      const response = await fetch(`samples/${sample.file}`);
      const file = new File([await response.blob()], sample.file);
      this.#leave();
      await this.#picture(file, WORDS.stage.credit(sample.by));
    } catch (error) {
      this.app.fail(error);
    }
  }

  /**
   * Files of any kind: models are opened, a video is played, pictures are answered.
   *
   * @param {File[]} files
   */
  async take(files) {
    const models = files.filter(isModel);
    const rest = files.filter((file) => !isModel(file));
    for (const file of models) await this.#model(file);
    if (rest.length === 0) return;
    this.#leave();
    if (rest.length > 1) await this.#pictures(rest);
    else if (isVideo(rest[0])) await this.#video(rest[0]);
    else await this.#picture(rest[0], nameOf(rest[0]));
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
   * @param {Blob} blob
   * @param {string} line What is told of it over the picture.
   */
  async #picture(blob, line) {
    this.#still = { blob, answer: null };
    this.stage.showPicture(blob, WORDS.stage.picture(nameOf(blob)));
    this.controls.say(line);
    this.#wait();
    await this.#answerStill();
  }

  /** @param {Blob} blob */
  async #video(blob) {
    this.#still = { blob, answer: null };
    this.controls.say(nameOf(blob));
    this.#wait();
    await this.stage.showVideo(blob);
  }

  async #answerStill() {
    const still = this.#still;
    const call = ++this.#call;
    if (!still || this.stage.mode !== "picture") return;
    try {
      const engine = await this.app.ready;
      const answer = await engine.classify(still.blob, this.#options());
      if (call !== this.#call) return;
      still.answer = answer;
      this.#showStill(answer);
    } catch (error) {
      if (call === this.#call) this.#card(error, nameOf(still.blob));
    }
  }

  /** @param {Answer} answer */
  #showStill(answer) {
    const threshold = this.app.state.get("threshold");
    const rows = answer.result.predictions.filter(({ score }) => score >= threshold);
    this.results.show(said(answer.result), rows, 1);
    this.results.facts.showAnswer({ answer, stats: null });
    this.#outline(answer);
  }

  /** @param {File[]} files */
  async #pictures(files) {
    const gallery = new Gallery(files, ({ file, answer }) => {
      if (!answer) return;
      this.#still = { blob: file, answer };
      this.stage.showPicture(file, WORDS.stage.picture(nameOf(file)));
      this.controls.say(nameOf(file));
      this.#showStill(answer);
    });
    this.#gallery = gallery;
    this.#showGallery();
    const engine = await this.app.ready;
    for (const item of gallery.items) {
      if (this.#gallery !== gallery) return;
      try {
        gallery.answer(item, await engine.classify(item.file, this.#options()));
      } catch (error) {
        gallery.fail(item, named(error, nameOf(item.file)));
      }
      if (this.#gallery === gallery && !this.#still) this.results.wait(galleryWords(gallery));
    }
    this.results.announcer.say(galleryWords(gallery));
  }

  #showGallery() {
    if (!this.#gallery) return;
    this.#still = null;
    this.stage.stop();
    fill(this.list, this.#gallery.element);
    this.results.wait(galleryWords(this.#gallery));
    this.#changed();
  }

  /** @param {Answer} answer */
  #liveAnswer(answer) {
    const { state } = this.app;
    const now_ms = performance.now();
    const scores = answer.scores;
    const labels = this.app.engine.model?.labels ?? [];
    if (!scores) return;
    if (this.#steady?.classes !== scores.length) {
      this.#steady = new Steady({
        classes: scores.length,
        time_s: Number.parseFloat(state.get("smoothing")) || 0,
        threshold: state.get("threshold"),
        most: state.get("top"),
      });
    }
    const { rows, said: told } = this.#steady.step(now_ms, scores, said(answer.result));
    const shown = rows.map(({ index, score }) => ({ label: labels[index] ?? String(index), score }));
    this.results.show(told, shown, 0);
    this.#outline(answer);
    if (now_ms - this.#facts_ms > FACTS_MS || this.stage.paused) this.#liveFacts(answer, now_ms);
  }

  /**
   * @param {Answer} answer
   * @param {number} now_ms
   */
  #liveFacts(answer, now_ms) {
    const { stats } = this.live;
    this.#facts_ms = now_ms;
    this.results.facts.showAnswer({ answer, stats });
    if (this.stage.mode === "camera") this.controls.say(WORDS.stage.fps(stats.fps));
    const model = this.app.engine.model?.name;
    const median = stats.quantile(0.5);
    if (model && median !== null && stats.count === NOTED) this.app.models.noteMs(model, median);
  }

  /** The same picture anew: another model or rule. */
  #again() {
    this.#steady = null;
    const model = this.app.engine?.model;
    if (model) {
      this.stage.rule = this.#rule() ?? model.rule;
      this.stage.lay();
      this.results.facts.showModel(model, this.stage.rule);
    }
    if (this.stage.mode === "picture") void this.#answerStill();
    else if (this.stage.mode === "video" && this.stage.paused) void this.live.once();
  }

  #redraw() {
    if (this.#still?.answer) this.#showStill(this.#still.answer);
  }

  #otherCamera() {
    if (this.stage.mode === "camera" && this.#shown) void this.stage.start();
  }

  /** @param {Answer|null} [answer] */
  #outline(answer = this.#still?.answer ?? null) {
    const wanted = this.app.state.get("outline") === 1;
    this.controls.press(wanted);
    const { videoWidth: width, videoHeight: height } = this.stage.video;
    const expected = this.#moving ? cropOf(this.stage.rule, { width, height }) : null;
    this.stage.drawOutline(wanted ? (answer?.crop ?? expected) : null);
  }

  /** The stage shows something else, or stands still: everything around it follows. */
  #changed() {
    const { stage } = this;
    const { mode, paused } = stage;
    const list = this.#gallery !== null && this.#still === null && mode === "empty";
    this.start.hidden = mode !== "empty" || list;
    this.list.hidden = !list;
    this.controls.show({
      mode: list ? "list" : mode,
      paused,
      cameras: stage.camera.devices.length,
      behind: this.#still ? (this.#gallery?.items.length ?? 0) : 0,
    });
    if (list) this.controls.say("");
    if (mode === "camera") this.controls.say(paused ? WORDS.stage.paused : WORDS.stage.live);
    const run = this.#shown && this.#moving && !paused && (mode === "video" || stage.camera.stream);
    if (run && this.app.engine) this.live.start();
    else this.live.stop();
    if (run && this.app.engine === null) {
      void this.app.ready.then(
        () => this.#changed(),
        () => {},
      );
    }
    if ((mode === "empty" && !list) || mode === "problem") {
      this.results.wait(WORDS.verdict.nothingYet, WORDS.verdict.nothingYetText);
      this.results.facts.showAnswer({ answer: null, stats: null });
    } else if (mode === "waiting") this.#wait();
    this.#outline();
  }

  #wait() {
    this.results.wait(WORDS.verdict.looking);
  }

  /** Forgets what was shown. */
  #leave() {
    this.#call++;
    this.#gallery?.close();
    this.#gallery = null;
    this.#still = null;
    this.#steady = null;
    this.controls.say("");
    fill(this.list);
  }

  /**
   * What could not be shown, in its place.
   *
   * @param {unknown} error
   * @param {string} [name]
   */
  #card(error, name = "") {
    this.#still = null;
    this.stage.stop();
    this.stage.show({ code: "none", name: "" });
    fill(this.stage.message, errorCard(named(error, name), () => this.home()));
  }

  /** The rule that was chosen, or null for the model's own. */
  #rule() {
    const rule = this.app.state.get("rule");
    if (rule === "trained") return null;
    return this.app.engine?.model?.rule.startsWith(rule) ? null : rule;
  }

  #options() {
    const { state } = this.app;
    return {
      top: 10,
      rule: this.#rule(),
      coverage: state.get("coverage"),
      acceptance: state.get("acceptance"),
    };
  }
}

/**
 * An error that says which file it is about.
 *
 * @param {unknown} error
 * @param {string} name
 */
function named(error, name) {
  const ours = whatsitError(error);
  return name && !ours.message.includes(name) ? ours.about(name) : ours;
}
