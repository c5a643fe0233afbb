/** From a project to a lesson: what its pictures look like to the model, and the fit in a worker. */

import { WhatsitError } from "../../core/errors.js";

/** @typedef {import("./project.js").Project} Project */
/** @typedef {import("./project.js").Picture} Picture */
/** @typedef {import("../../core/teach/lesson.js").Lesson} Lesson */
/** @typedef {import("./worker.js").Order} Order */

/** Makes the embeddings of a project's pictures one by one, as they come. */
export class Embedder {
  #running = false;
  #wanted = false;

  /**
   * @param {Project} project
   * @param {{engine: () => any, bad: (picture: Picture) => void,
   *   fail: (error: unknown) => void}} ways `engine` gives one with the right model, or null
   */
  constructor(project, { engine, bad, fail }) {
    this.project = project;
    this.engine = engine;
    this.bad = bad;
    this.fail = fail;
  }

  get left() {
    return this.project.pictures.filter(({ embedding }) => embedding === undefined).length;
  }

  /** Goes on, unless it is at it. */
  async run() {
    this.#wanted = true;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#wanted) {
        const picture = this.project.pictures.find(({ embedding }) => embedding === undefined);
        const engine = this.engine();
        if (picture === undefined || engine === null) break;
        await this.#embed(engine, picture);
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.#running = false;
    }
  }

  pause() {
    this.#wanted = false;
  }

  /**
   * @param {any} engine
   * @param {Picture} picture
   */
  async #embed(engine, picture) {
    const model = this.project.embeddedBy;
    try {
      const embedding = await engine.embed(picture.blob);
      if (model === this.project.embeddedBy) this.project.embedded(picture, embedding);
    } catch (error) {
      const image = error instanceof WhatsitError && error.code.startsWith("image");
      if (!image) throw error;
      this.bad(picture);
    }
  }
}

/**
 * @param {Project} project whose pictures all have embeddings
 * @param {{name: string, bytes: Uint8Array}} parent
 * @param {(done: number, total: number) => void} progress
 * @returns {Promise<Lesson>}
 */
export function learn(project, parent, progress) {
  const classes = project.classes.map(({ name, pictures }) => ({
    name: name.trim(),
    vectors: joined(pictures),
    moments: pictures.map(({ moment }) => moment),
    types: pictures.map(({ blob }) => blob.type),
  }));
  return inWorker({ parent, classes, name: project.name.trim() }, progress);
}

/** @param {Picture[]} pictures */
function joined(pictures) {
  const parts = pictures.map(({ embedding }) => embedding ?? new Float32Array());
  const vectors = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    vectors.set(part, at);
    at += part.length;
  }
  return vectors;
}

/**
 * @param {Order} order
 * @param {(done: number, total: number) => void} progress
 * @returns {Promise<Lesson>}
 */
function inWorker(order, progress) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => {
      if (data.kind === "ready") worker.postMessage(order);
      if (data.kind === "progress") progress(data.done, data.total);
      if (data.kind === "lesson") resolve(data.lesson);
      if (data.kind === "error") reject(WhatsitError.from(data.error));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      const hint = event.message || "reload the page";
      reject(new WhatsitError("internal", "the teacher could not be started", { hint }));
    };
  }).finally(() => worker.terminate());
}
