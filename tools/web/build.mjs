// Builds src/whatsit/serve/web/rt/: LiteRT.js for the app, out of the npm package @litertjs/core.
//
// What is written depends on the locked packages alone, so two builds give the same bytes.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import * as esbuild from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, "..", "..");
const CORE = join(HERE, "node_modules", "@litertjs", "core");
const TARGET = join(ROOT, "src", "whatsit", "serve", "web", "rt");
const BUILDS = ["internal", "compat_internal", "threaded_internal"];
const GZIP_OS = 9; // the byte of a gzip header that names the system it was made on

const UINT8 = `{
    dtype: "uint8",
    typedArrayConstructor: Uint8Array,
    elementType: ElementType.UINT8
  }`;
const INT8 = `,
  {
    dtype: "int8",
    typedArrayConstructor: Int8Array,
    elementType: ElementType.INT8
  }`;
const ENVIRONMENT = "await Environment.create()";
const CHANGES = [
  // The wasm knows more types than the package. The embedding of a quantised model is int8.
  [UINT8, UINT8 + INT8],
  // It would take a graphics processor, for which the app has no use.
  [ENVIRONMENT, ENVIRONMENT.replace("()", "({ webGpuDevice: null })")],
];

const changed = {
  name: "changed",
  /** @param {esbuild.PluginBuild} build */
  setup(build) {
    build.onLoad({ filter: /@litertjs[\\/]core[\\/]dist[\\/]index\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, "utf8");
      for (const [from, to] of CHANGES) {
        if (contents.split(from).length !== 2) {
          throw new Error(`${path}: what is to be changed does not stand there once:\n${from}`);
        }
        contents = contents.replace(from, to);
      }
      return { contents, loader: "js" };
    });
  },
};

/** @param {string} name @returns {{version: string, license: string}} */
function packageFacts(name) {
  return JSON.parse(readFileSync(join(HERE, "node_modules", name, "package.json"), "utf8"));
}

/** @param {Uint8Array} data @returns {Uint8Array} */
function zipped(data) {
  const bytes = gzipSync(data, { level: 9 });
  bytes[GZIP_OS] = 255; // unknown
  return bytes;
}

/** @param {string} name @param {string | Uint8Array} content */
function write(name, content) {
  writeFileSync(join(TARGET, name), content);
}

async function writeBundle() {
  await esbuild.build({
    entryPoints: [join(CORE, "dist", "index.js")],
    outfile: join(TARGET, "litert.js"),
    bundle: true,
    format: "iife",
    globalName: "LiteRT",
    minify: true,
    target: "es2020",
    plugins: [changed],
    logLevel: "warning",
  });
}

/**
 * What loads a wasm, without its comments: half of what is transferred of it.
 * @param {string} name
 */
async function writeLoader(name) {
  const source = readFileSync(join(CORE, "wasm", name), "utf8");
  const { code } = await esbuild.transform(source, { minify: true, target: "es2022" });
  write(name, code);
}

/** @returns {Promise<Record<string, {bytes: number, sha256: string}>>} of each, unpacked */
async function writeWasm() {
  /** @type {Record<string, {bytes: number, sha256: string}>} */
  const facts = {};
  for (const build of BUILDS) {
    const stem = `litert_wasm_${build}`;
    await writeLoader(`${stem}.js`);
    const wasm = readFileSync(join(CORE, "wasm", `${stem}.wasm`));
    write(`${stem}.wasm.gz`, zipped(wasm));
    const sha256 = createHash("sha256").update(wasm).digest("hex");
    facts[`${stem}.wasm`] = { bytes: wasm.length, sha256 };
  }
  return facts;
}

/** @param {Record<string, {bytes: number, sha256: string}>} wasm */
function writeNotices(wasm) {
  const packages = ["@litertjs/core", "@litertjs/wasm-utils"].map((name) => {
    const { version, license } = packageFacts(name);
    if (license !== "Apache-2.0") {
      throw new Error(`${name} ${version} is under ${license}, which THIRD_PARTY.md does not say`);
    }
    return { name, version, license };
  });
  write("LICENSE", readFileSync(join(ROOT, "LICENSES", "Apache-2.0.txt")));
  const versions = packages.map(({ name, version }) => `${name} ${version}`).join(", ");
  const notices = readFileSync(join(HERE, "THIRD_PARTY.md"), "utf8");
  if (!notices.includes("{versions}")) {
    throw new Error("THIRD_PARTY.md has no place for the versions");
  }
  write("THIRD_PARTY.md", notices.replace("{versions}", versions));
  const { version } = packageFacts("esbuild");
  const facts = { packages, bundler: `esbuild ${version}`, wasm };
  write("versions.json", `${JSON.stringify(facts, null, 1)}\n`);
}

rmSync(TARGET, { recursive: true, force: true });
mkdirSync(TARGET, { recursive: true });
await writeBundle();
writeNotices(await writeWasm());
console.log(`built ${TARGET}`);
