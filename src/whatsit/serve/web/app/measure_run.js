/** Measures models one after the other, with warm-up, and puts the model before back in use. */

import { whatsitError } from "./cards.js";

export const RUNS = 50;
export const WARMUP = 10;

/**
 * @typedef {import("./device_file.js").Row} Row
 * @typedef {import("./device_file.js").Measured} Measured
 * @typedef {{model: string, index: number, of: number, share: number}} Step share of this model
 */

/**
 * The times of each model, in their order. One that fails is named among `failed`. Ends after the
 * model that is being measured once `signal` says so.
 * @param {any} app
 * @param {string[]} names
 * @param {{signal: AbortSignal, onStep: (step: Step) => void, onRow: (measured: Measured) => void,
 *   runs?: number, warmup?: number}} options
 * @returns {Promise<Measured>}
 */
export async function measureAll(app, names, { signal, onStep, onRow, runs = RUNS, warmup = WARMUP }) {
  /** @type {Measured} */
  const measured = { rows: [], failed: [], started: new Date(), warmup };
  try {
    for (const [index, model] of names.entries()) {
      if (signal.aborted) break;
      const step = (/** @type {number} */ share) =>
        onStep({ model, index, of: names.length, share });
      step(0);
      try {
        const row = await measureOne(app, model, { runs, warmup, step });
        measured.rows.push(row);
        app.models.noteMs(model, row.stages.total.median);
      } catch (error) {
        const { code, message, hint } = whatsitError(error);
        measured.failed.push({ name: model, error: { code, message, hint } });
      }
      onRow(measured);
    }
  } finally {
    await app.models.giveBack();
  }
  return measured;
}

/**
 * @param {any} app
 * @param {string} name
 * @param {{runs: number, warmup: number, step: (share: number) => void}} options
 * @returns {Promise<Row>}
 */
async function measureOne(app, name, { runs, warmup, step }) {
  const facts = await app.models.borrow(name);
  /** @type {number[]} */
  const totals = [];
  const onStep = (/** @type {{done: number, of: number, total: number}} */ { done, of, total }) => {
    if (done > warmup) totals.push(total);
    step(done / of);
  };
  const { stages } = await app.engine.measure({ runs, warmup, onStep });
  const { build, threads } = app.engine.facts; // another build may have taken over
  return {
    name,
    sha256: facts.sha256,
    bytes: facts.bytes,
    input: facts.input,
    preprocess: facts.rule,
    accuracy: facts.accuracy,
    engine: { build, threads },
    runs,
    stages: { ...stages, total: { ...stages.total, ...middleHalf(totals) } },
  };
}

/**
 * Between which times the middle half lies.
 * @param {number[]} times
 * @returns {{low: number, high: number} | {}}
 */
export function middleHalf(times) {
  if (times.length === 0) return {};
  const sorted = [...times].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => {
    const place = (sorted.length - 1) * share;
    const low = Math.floor(place);
    const next = sorted[Math.min(low + 1, sorted.length - 1)];
    return sorted[low] + (next - sorted[low]) * (place - low);
  };
  return { low: at(0.25), high: at(0.75) };
}
