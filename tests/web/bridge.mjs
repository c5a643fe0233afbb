// Runs exported functions of the app's modules for tests/js.py: one JSON line in, one line out.
//
// A request is {module, name, arguments, how} with `how` one of "call", "new" (a class), "keep"
// (call, and answer with a handle), or {handle, name, arguments, how} for a kept object, where
// "get" reads a property and "drop" forgets it. `name` may be dotted: Labels.fromLines.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const ROOT = pathToFileURL(`${process.argv[2]}/`);
const ARRAYS = {
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array,
  uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, float32: Float32Array,
  float64: Float64Array,
};
const kept = new Map();
let handles = 0;

console.log = console.info = console.error; // stdout belongs to the answers

/** What Python sent, as values of JavaScript. */
function decoded(value) {
  if (Array.isArray(value)) return value.map(decoded);
  if (value === null || typeof value !== "object") return value;
  if ("$bytes" in value) return array(value);
  if ("$file" in value) return new Uint8Array(readFileSync(value.$file));
  if ("$handle" in value) return kept.get(value.$handle);
  if ("$number" in value) return Number(value.$number);
  if ("$map" in value) return new Map(value.$map.map(decoded));
  if ("$undefined" in value) return undefined;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, decoded(part)]));
}

function array({ $bytes, dtype }) {
  const bytes = Buffer.from($bytes, "base64");
  const own = new Uint8Array(bytes); // a copy with a buffer of its own, on which any type fits
  return dtype === "uint8" ? own : new ARRAYS[dtype](own.buffer);
}

/** A value of JavaScript as JSON that loses nothing. */
function encoded(value) {
  if (typeof value === "number") {
    return Number.isFinite(value) && !Object.is(value, -0) ? value : { $number: spelled(value) };
  }
  if (typeof value === "bigint") return { $integer: String(value) };
  if (value === undefined) return { $undefined: true };
  if (value === null || typeof value !== "object") return typeof value === "function" ? null : value;
  if (ArrayBuffer.isView(value)) return encodedArray(value);
  if (Array.isArray(value)) return value.map(encoded);
  if (value instanceof Map) return { $map: [...value].map(encoded) };
  if (value instanceof Set) return { $set: [...value].map(encoded) };
  return { $object: Object.entries(value).map(([key, part]) => [key, encoded(part)]) };
}

function spelled(value) {
  return Object.is(value, -0) ? "-0" : String(value);
}

function encodedArray(view) {
  const dtype = Object.keys(ARRAYS).find((name) => view instanceof ARRAYS[name]) ?? "uint8";
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return { $bytes: bytes.toString("base64"), dtype };
}

async function run({ module, handle, name, arguments: given, how }) {
  if (how === "drop") return { value: kept.delete(handle) };
  const owner = handle === undefined ? await import(new URL(module, ROOT)) : kept.get(handle);
  const path = name.split(".");
  const last = path.pop();
  const holder = path.reduce((part, key) => part[key], owner);
  const target = holder[last];
  if (how === "get") return { value: encoded(target) };
  if (typeof target !== "function") throw new TypeError(`${module ?? "object"}: no ${name}()`);
  const parts = given.map(decoded);
  if (how === "call") return { value: encoded(await target.apply(holder, parts)) };
  kept.set(++handles, how === "new" ? new target(...parts) : await target.apply(holder, parts));
  return { handle: handles };
}

function failure(error) {
  if (error?.name === "WhatsitError") {
    const { code, message, expected, hint } = error;
    return { error: { code, message, expected, hint } };
  }
  return { crash: String(error?.stack ?? error) };
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const answer = await run(JSON.parse(line)).catch(failure);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
