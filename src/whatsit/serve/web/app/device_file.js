/**
 * What was measured on this device, as the file that `whatsit choose --device` reads: docs/json.md.
 * whatsit.device is its reader.
 */

import { MEASURED } from "../engine/selftest.js";

export const FORMAT = "whatsit-device";
const FORMAT_VERSION = 1;

/**
 * @typedef {{median: number, low?: number, high?: number, p95: number, mean: number, min: number,
 *   max: number}} Spread in ms
 * @typedef {{build: string, threads: number}} Ran
 * @typedef {{name: string, sha256: string, bytes: number, input: [number, number],
 *   preprocess: string, accuracy: import("./types.js").Accuracy[], engine: Ran, runs: number,
 *   stages: Record<string, Spread>}} Row one model that was measured
 * @typedef {{name: string, error: {code: string, message: string, hint: string}}} Failed
 * @typedef {{rows: Row[], failed: Failed[], started: Date, warmup: number}} Measured
 */

/**
 * The file as a value.
 * @param {Measured} measured
 * @param {{engine: any, app: string}} about the engine's facts, and the version of the app
 */
export function deviceFile({ rows, failed, started, warmup }, { engine, app }) {
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    app,
    measured: started.toISOString(),
    device: { ...deviceFacts(), isolated: engine.isolated, relaxed_simd: engine.relaxedSimd },
    picture: MEASURED,
    warmup,
    models: rows,
    failed,
  };
}

/**
 * What a browser says of its device; null for what it does not say. The name of the processor is
 * nothing that a page may know.
 */
export function deviceFacts() {
  const { userAgent, hardwareConcurrency, language } = navigator;
  const more = /** @type {any} */ (navigator);
  return {
    name: deviceName(userAgent, more.userAgentData),
    user_agent: userAgent,
    platform: more.userAgentData?.platform || navigator.platform || null,
    cores: hardwareConcurrency || null,
    memory_gb: more.deviceMemory ?? null, // rounded, and capped by most
    screen: `${screen.width} × ${screen.height} at ${window.devicePixelRatio}`,
    language,
  };
}

/**
 * A name to know the device by: its model where the browser tells one, else system and browser.
 * @param {string} userAgent
 * @param {any} hints navigator.userAgentData, where there is one
 * @returns {string}
 */
export function deviceName(userAgent, hints = null) {
  const model = /\(Linux; Android [^;)]+; ([^;)]+?)(?: Build[^;)]*)?\)/.exec(userAgent)?.[1];
  const system =
    /iPhone|iPad|CrOS|Windows|Macintosh|Android|Linux/.exec(userAgent)?.[0] ?? hints?.platform;
  const browser =
    /(?:Firefox|FxiOS|EdgA?|OPR|SamsungBrowser|CriOS|Chrome)\/\d+|Version\/\d+(?=.*Safari)/.exec(
      userAgent,
    )?.[0];
  // Browsers that hide the model say K.
  const device = model && model !== "K" ? model : (system ?? "a device");
  const named = browser?.replace("Version/", "Safari/").replace("/", " ");
  return named ? `${device}, ${named}` : device;
}

/** @param {Date} started */
export function fileName(started) {
  return `whatsit-device-${started.toISOString().slice(0, 16).replace(/[T:]/g, "-")}.json`;
}
