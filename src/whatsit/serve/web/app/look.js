/** The view “Look”: the camera, a picture, several, or a video, and what is in them. */

import { Controls, startScreen } from "./controls.js";
import { attribute, fill, h } from "./dom.js";
import { cropOf } from "./fit.js";
import { Moving } from "./moving.js";
import { Results } from "./results.js";
import { chooser, dropAndPaste } from "./sources.js";
import { Subject } from "./subject.js";
import { Why } from "./why.js";
import { WORDS } from "./words.js";

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
  #resume = false; // the camera ran when another view was chosen

  /**
   * @param {App} app
   * @param {HTMLElement} element
   */
  constructor(app, element) {
    this.app = app;
    this.stage = app.stage;
    this.results = new Results(app.state);
    const options = () => this.#options();
    const { results } = this;
    this.subject = new Subject({ app, results, options, answered: () => this.#outline() });
    this.moving = new Moving({
      app,
      results,
      options,
      answered: (answer) => {
        this.why.clear(); // a video that stands, elsewhere
        this.#outline(answer);
      },
      say: (line) => this.controls.say(line),
    });
    this.why = new Why({
      app,
      results,
      source: () => this.subject.still.blob ?? this.stage.take(),
      rule: () => this.#rule(),
    });
    this.wrap = h("div", { class: "stage-wrap" });
    this.list = h("div", { class: "stage-list", hidden: true });
    const ways = this.#ways();
    this.controls = new Controls(ways);
    this.start = startScreen(ways);
    const { top, player, bar } = this.controls;
    const drop = h("div", { class: "drop", "aria-hidden": "true" }, WORDS.start.drop);
    const foot = h("div", { class: "stage-foot" }, player, bar);
    this.wrap.append(this.start, this.list, top, foot, drop);
    element.classList.add("look");
    element.append(this.wrap, this.results.element);
    this.#listen();
  }

  show() {
    this.subject.shown = true;
    this.stage.instead = () => this.pick();
    this.stage.mount(this.wrap);
    if (this.#resume) void this.stage.start();
    else this.subject.restore();
    this.#resume = false;
    this.#changed();
  }

  hide() {
    const { mode } = this.stage;
    this.subject.shown = false;
    this.subject.halt();
    this.why.clear();
    this.#resume = mode === "camera" || mode === "waiting";
    this.moving.stop();
    if (this.#resume || mode === "problem") this.stage.stop();
    else this.stage.pause();
  }

  /** @returns {import("./controls.js").Ways} */
  #ways() {
    const { subject } = this;
    this.pick = chooser(this.wrap, (files) => void subject.take(files));
    return {
      camera: () => void this.camera(),
      pick: () => this.pick(),
      flip: () => this.stage.flip(),
      toggle: () => this.toggle(),
      home: () => this.home(),
      back: () => subject.showList(),
      outline: (shown) => this.app.state.set("outline", shown ? 1 : 0),
      sample: (sample) => void subject.sample(sample),
    };
  }

  pick = () => {};

  #listen() {
    const { state, models } = this.app;
    const { stage, subject } = this;
    stage.addEventListener("change", () => subject.shown && this.#changed());
    stage.frame.addEventListener("click", () => subject.shown && this.#moves && this.toggle());
    this.controls.follow(stage.video);
    subject.addEventListener("list", () => fill(this.list, subject.several?.element));
    for (const key of ["top", "threshold"]) state.on(key, () => subject.still.draw());
    for (const key of ["rule", "coverage", "acceptance"]) state.on(key, () => this.#again());
    state.on("outline", () => this.#outline());
    models.addEventListener("use", () => this.#again());
    dropAndPaste({
      active: () => subject.shown,
      take: (files) => void subject.take(files),
      hover: (over) => attribute(this.wrap, "data-drop", over),
    });
  }

  get #moves() {
    return this.stage.mode === "camera" || this.stage.mode === "video";
  }

  async camera() {
    this.subject.leave();
    await this.stage.start();
  }

  /** The camera is started, or what moves is stopped and goes on. */
  toggle() {
    if (!this.#moves) void this.camera();
    else if (this.stage.paused) void this.stage.resume();
    else this.stage.pause();
  }

  home() {
    this.subject.leave();
    this.stage.stop();
    this.results.announcer.say("");
    this.start.querySelector("button")?.focus({ preventScroll: true });
  }

  /** The same anew: another model or rule. */
  #again() {
    const model = this.app.engine?.model;
    if (model) {
      this.stage.rule = this.#rule() ?? model.rule;
      this.stage.lay();
      this.results.facts.showModel(model, this.stage.rule);
    }
    this.why.clear();
    this.moving.forget();
    this.subject.again();
    if (this.stage.mode === "video" && this.stage.paused) this.moving.once();
  }

  /** @param {Answer|null} [answer] */
  #outline(answer = this.subject.still.answer) {
    if (!this.subject.shown) return; // the stage is another's
    const wanted = this.app.state.get("outline") === 1;
    this.controls.press(wanted);
    const { videoWidth: width, videoHeight: height } = this.stage.video;
    const expected = this.#moves ? cropOf(this.stage.rule, { width, height }) : null;
    this.stage.drawOutline(wanted ? (answer?.crop ?? expected) : null);
  }

  /** The stage shows something else, or stands still: everything around it follows. */
  #changed() {
    const { mode, paused, camera } = this.stage;
    const list = this.subject.lists;
    this.start.hidden = mode !== "empty" || list;
    this.list.hidden = !list;
    this.controls.show({
      mode: list ? "list" : mode,
      paused,
      cameras: camera.devices.length,
      behind: this.subject.behind,
    });
    const plain = mode === "empty" || mode === "problem" || mode === "waiting";
    attribute(this.wrap, "data-plain", plain ? (list ? "list" : mode) : null);
    attribute(this.results.element, "data-idle", plain && mode !== "waiting");
    this.controls.say(this.#line());
    this.why.allow(mode === "picture" || (this.#moves && paused));
    this.#run();
    if (plain) this.#nothing();
    this.#outline();
  }

  /** No picture is answered: the results say so, and the facts name no answer. */
  #nothing() {
    this.results.facts.showAnswer({ answer: null, stats: null });
    if (this.stage.mode === "waiting") this.results.wait(WORDS.verdict.looking);
    else if (this.subject.lists) this.results.wait(this.subject.several?.words ?? "");
    else if (this.app.engine !== null) {
      this.results.wait(WORDS.verdict.nothingYet, WORDS.verdict.nothingYetText);
    }
  }

  /** What is told over the picture. */
  #line() {
    const { mode, paused } = this.stage;
    if (mode === "camera") return paused ? WORDS.stage.paused : WORDS.stage.live;
    return mode === "picture" || mode === "video" ? this.subject.line : "";
  }

  /** Starts the loop over frames where there are any, once the engine is there. */
  #run() {
    const { mode, paused, camera } = this.stage;
    const moves = this.#moves && !paused && (mode === "video" || camera.stream !== null);
    if (!this.subject.shown || !moves) this.moving.stop();
    else if (this.app.engine) this.moving.start();
    else {
      const again = () => this.#run();
      void this.app.ready.then(again, () => {}); // told where the answers stand
    }
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
