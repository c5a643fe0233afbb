/**
 * The service worker: the app without a network, and isolated on hosts that send no headers.
 *
 * Its own address says what it is for: sw.js?version=…&build=…, the version of version.json and
 * the wasm build that passed its self-test on this device. Each version has a cache of its own,
 * filled while the worker installs; a file counts only if its sha256 is the one in version.json. If
 * one cannot be had the installation fails, and the worker and the cache before stay in use, whole.
 * A new version waits until the person asks for it or has closed all windows of the old one.
 *
 * What this engine can use is fetched beforehand. Other models, builds and pictures are kept when
 * they are first used, and follow into the next version.
 */

"use strict";

/** @typedef {{version: string, app: string, files: Record<string, {sha256: string, bytes: number}>}} Version */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const OWN = worker.location.href;
const scope = new URL("./", OWN).href;
const { searchParams: own } = new URL(OWN);
const VERSION = own.get("version") ?? "";
const BUILD = own.get("build") ?? "";
// Other exports may live on the same host, in other folders, with caches in the same place.
const CACHES = `whatsit ${scope} `;
const CACHE = CACHES + VERSION;

// The same as whatsit.serve.site.HEADERS, which a test holds.
const HEADERS = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; " +
    "connect-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; " +
    "font-src 'self'; manifest-src 'self'; media-src 'self' blob: mediastream:; " +
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
};
// Hosts of plain files name some of these wrongly, and `nosniff` would then refuse them.
/** @type {Record<string, string>} */
const TYPES = {
  css: "text/css; charset=utf-8",
  gz: "application/gzip",
  html: "text/html; charset=utf-8",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  wasm: "application/wasm",
  webmanifest: "application/manifest+json",
  woff2: "font/woff2",
};
// By what the file names of a build have between `litert_wasm_` and `internal`.
/** @type {Record<string, string>} */
const BUILDS = { threaded: "threaded_", relaxed: "", compat: "compat_" };
const AT_ONCE = 6; // as many as a browser takes from one host

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("message", (event) => {
  if (event.data?.kind === "take-over") worker.skipWaiting();
});
worker.addEventListener("fetch", (event) => {
  const path = pathOf(event.request);
  if (path === "version.json") event.respondWith(newest(event.request));
  else if (path !== null) event.respondWith(answer(event, path));
});

async function install() {
  const version = await newVersion();
  const { active } = worker.registration;
  const before = active === null ? "" : versionOf(active);
  await forget();
  try {
    await fill(version, before);
  } catch (error) {
    // What is there is of use the next time, but not where there is no room for the rest.
    const full = error instanceof DOMException && error.name === "QuotaExceededError";
    if (full && !others().includes(VERSION)) await caches.delete(CACHE);
    throw error;
  }
  if (before === VERSION) await worker.skipWaiting(); // nothing changes but what is kept
}

async function activate() {
  await forget();
  await worker.clients.claim(); // so that what is used from now on is kept too
}

/**
 * @param {Version} version
 * @param {string} before
 */
async function fill(version, before) {
  const [cache, old] = await Promise.all([caches.open(CACHE), caches.open(CACHES + before)]);
  const was = before === VERSION ? null : await readVersion(old);
  const paths = await needed(version, cache, old, was);
  await inTurns(paths, (path) => keep(path, version, cache, old, was));
  // Last, since whoever finds it may trust that all of the rest is there.
  await cache.put("version.json", ready(JSON.stringify(version), "version.json"));
}

/** The versions of the workers beside this one: one may wait while another is in use. */
function others() {
  const { installing, waiting, active } = worker.registration;
  const all = [installing, waiting, active].filter((one) => one !== null);
  return all.filter(({ scriptURL }) => scriptURL !== OWN).map(versionOf);
}

/** @param {ServiceWorker} other @returns {string} */
function versionOf({ scriptURL }) {
  return new URL(scriptURL).searchParams.get("version") ?? "";
}

/** Removes what was kept of versions that no worker is for any more. */
async function forget() {
  const wanted = [VERSION, ...others()].map((version) => CACHES + version);
  const names = await caches.keys();
  const gone = names.filter((name) => name.startsWith(CACHES) && !wanted.includes(name));
  await Promise.all(gone.map((name) => caches.delete(name)));
}

/** The list of files of the version that this worker is for. @returns {Promise<Version>} */
async function newVersion() {
  const response = await fetch("version.json", { cache: "no-cache" });
  if (!response.ok) throw new Error(`version.json: HTTP ${response.status}`);
  const version = await response.json();
  if (version.version !== VERSION) throw new Error("the server has another version by now");
  return version;
}

/** @param {Cache} cache @returns {Promise<Version | null>} */
async function readVersion(cache) {
  const response = await cache.match("version.json");
  return response === undefined ? null : response.json();
}

/**
 * What to have before this version may be used: what every visit needs, and what was used before.
 * @param {Version} version
 * @param {Cache} cache
 * @param {Cache} old
 * @param {Version | null} was
 * @returns {Promise<string[]>}
 */
async function needed(version, cache, old, was) {
  await keep("models/index.json", version, cache, old, was);
  const index = /** @type {Response} */ (await cache.match("models/index.json"));
  const { default: name, models } = await index.json();
  const first = models.find((/** @type {{name: string}} */ model) => model.name === name)?.file;
  const used = new Set((await old.keys()).map(({ url }) => url.slice(scope.length)));
  return Object.keys(version.files).filter(
    (path) => path === first || always(path) || (used.has(path) && !isOtherBuild(path)),
  );
}

/** @param {string} path */
function always(path) {
  if (path.startsWith("models/")) return path === "models/index.json";
  // Icons as PNG are for whoever installs the app, which fetches them then.
  if (path.startsWith("icons/")) return path.endsWith(".svg");
  if (path.startsWith("rt/")) return /\.(js|wasm|gz)$/.test(path) && !isOtherBuild(path);
  return path !== "sw.js" && path !== "version.json";
}

/** @param {string} path */
function isOtherBuild(path) {
  const match = /^rt\/litert_wasm_(.*)internal\./.exec(path);
  return match !== null && match[1] !== BUILDS[BUILD];
}

/**
 * @param {string[]} paths
 * @param {(path: string) => Promise<void>} work
 */
async function inTurns(paths, work) {
  const left = [...paths];
  const next = async () => {
    for (let path = left.shift(); path !== undefined; path = left.shift()) await work(path);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
}

/**
 * Brings one file into `cache`: it is there, or in the version before, or comes from the server.
 * @param {string} path
 * @param {Version} version
 * @param {Cache} cache
 * @param {Cache} old
 * @param {Version | null} was
 */
async function keep(path, version, cache, old, was) {
  if (await cache.match(path)) return;
  const { sha256 } = version.files[path];
  if (was?.files[path]?.sha256 === sha256) {
    const same = await old.match(path);
    if (same !== undefined) return cache.put(path, same);
  }
  // The page has just fetched most of them: what the browser still has need not even be asked for,
  // since its sha256 tells whether it is the right one.
  for (const mode of /** @type {RequestCache[]} */ (["force-cache", "reload"])) {
    const response = await fetch(path, { cache: mode });
    const bytes = response.ok ? await response.arrayBuffer() : null;
    if (bytes !== null && (await hex(bytes)) === sha256) return cache.put(path, ready(bytes, path));
  }
  throw new Error(`${path} is not what version.json says`);
}

/** @param {ArrayBuffer} bytes @returns {Promise<string>} the sha256 */
async function hex(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {BodyInit | null} body
 * @param {string} path
 */
function ready(body, path) {
  const type = TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "application/octet-stream";
  return new Response(body, { headers: { ...HEADERS, "Content-Type": type } });
}

/**
 * The path in the site that a request is for; null for what is none of ours, such as the API.
 * @param {Request} request
 * @returns {string | null}
 */
function pathOf(request) {
  const url = new URL(request.url);
  url.search = url.hash = "";
  if (request.method !== "GET" || request.headers.has("range")) return null;
  if (!url.href.startsWith(scope)) return null;
  const path = url.href.slice(scope.length) || "index.html";
  return path === "sw.js" ? null : path; // the browser fetches that by itself
}

/**
 * What the server has now, since it tells of a new version; without a network what was kept, marked.
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function newest(request) {
  try {
    return await fetch(request);
  } catch (error) {
    const kept = await (await caches.open(CACHE)).match("version.json");
    if (kept === undefined) throw error;
    const headers = new Headers(kept.headers);
    headers.set("X-Kept", "yes");
    return new Response(kept.body, { headers });
  }
}

/**
 * What was kept, or what comes from the server, at once as it comes: a model takes its time.
 * @param {FetchEvent} event
 * @param {string} path
 * @returns {Promise<Response>}
 */
async function answer(event, path) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(path);
  if (kept !== undefined) return kept;
  const sha256 = (await readVersion(cache))?.files[path]?.sha256;
  const response = await fetch(event.request);
  if (sha256 === undefined || !response.ok) return response;
  event.waitUntil(store(cache, path, response.clone(), sha256));
  return ready(response.body, path);
}

/**
 * @param {Cache} cache
 * @param {string} path
 * @param {Response} response
 * @param {string} sha256 of another version, the server's by now, it is not kept
 */
async function store(cache, path, response, sha256) {
  try {
    const bytes = await response.arrayBuffer();
    if ((await hex(bytes)) === sha256) await cache.put(path, ready(bytes, path));
  } catch {
    // cut short, or no room: it comes from the server again
  }
}
