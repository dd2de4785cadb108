// Builds the site's styles and script into src/colophon/static/, under names that carry a hash of
// their content: such a file can be cached for ever, because its address changes when it does.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);
const target = path.join(root, "src", "colophon", "static");

const help = `Usage: node build.mjs [--check] [--help]

Compiles assets/site.scss and assets/site.js, copies the images, and writes each into
src/colophon/static/ as name.<hash>.ext, with .br and .gz beside what compresses, and
manifest.json, which maps plain names to hashed ones and records the sources' hashes.

  --check   write nothing; exit 1 if the built files are not those of these sources
  --help    show this text

Run "npm ci" in assets/ first.`;

/** Files which decide what is built; package-lock.json stands for Bootstrap and the compilers. */
async function sources() {
  const styles = (await readdir(path.join(here, "scss"))).map((name) => `scss/${name}`);
  return ["build.mjs", "package-lock.json", "site.js", "site.scss", ...images, ...styles].sort();
}

const images = ["favicon.svg", "social-card.png", "touch-icon.png"];

async function compileStyles(sass, esbuild) {
  const { css } = await sass.compileAsync(path.join(here, "site.scss"), {
    loadPaths: [path.join(here, "node_modules")],
    style: "compressed",
    // Bootstrap 5 is written in the Sass of its day; its own warnings cannot be mended from here.
    quietDeps: true,
    silenceDeprecations: ["import", "global-builtin", "color-functions", "if-function"],
  });
  const { code } = await esbuild.transform(css, { loader: "css", minify: true, legalComments: "none" });
  // Both licences ask that their notice travels with what is made from them.
  return Buffer.from(`/*! Bootstrap v5.3.8 (getbootstrap.com), Bootswatch Litera (bootswatch.com): MIT */${code}`);
}

async function compileScript(esbuild) {
  const code = await readFile(path.join(here, "site.js"), "utf8");
  const options = { loader: "js", minify: true, format: "esm", target: "es2020" };
  return Buffer.from((await esbuild.transform(code, options)).code);
}

function compressed(content, name) {
  if (!/\.(css|js|svg)$/.test(name)) return [];
  const br = brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });
  const gz = gzipSync(content, { level: 9 });
  // Node leaves the time at zero; the tenth byte names the operating system, which must not matter.
  gz[9] = 255;
  return [[`${name}.br`, br], [`${name}.gz`, gz]];
}

const hash = (content) => createHash("sha256").update(content).digest("hex");

/** All that belongs into the target, as a map of file name to content. */
async function build() {
  const [sass, esbuild] = await Promise.all([import("sass"), import("esbuild")]);
  const plain = new Map([
    ["site.css", await compileStyles(sass, esbuild)],
    ["site.js", await compileScript(esbuild)],
  ]);
  for (const name of images) plain.set(name, await readFile(path.join(here, name)));

  const built = new Map();
  const manifest = { files: {}, sources: {} };
  for (const [name, content] of [...plain].sort()) {
    const { name: stem, ext } = path.parse(name);
    const hashed = `${stem}.${hash(content).slice(0, 10)}${ext}`;
    manifest.files[name] = hashed;
    for (const [file, bytes] of [[hashed, content], ...compressed(content, hashed)]) built.set(file, bytes);
  }
  for (const name of await sources()) {
    manifest.sources[`assets/${name}`] = hash(await readFile(path.join(here, name)));
  }
  built.set("manifest.json", Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  return built;
}

async function present() {
  const found = new Map();
  for (const entry of await readdir(target, { withFileTypes: true })) {
    if (entry.isFile()) found.set(entry.name, await readFile(path.join(target, entry.name)));
  }
  return found;
}

async function main() {
  const { values } = parseArgs({ options: { check: { type: "boolean" }, help: { type: "boolean", short: "h" } } });
  if (values.help) return console.log(help);

  await mkdir(target, { recursive: true });
  const [built, old] = [await build(), await present()];
  const outdated = [...old.keys()].filter((name) => !built.has(name));
  const changed = [...built].filter(([name, bytes]) => !old.get(name)?.equals(bytes));

  if (values.check) {
    const stale = [...changed.map(([name]) => name), ...outdated].sort();
    if (!stale.length) return console.log("The built files are those of these sources.");
    throw new Error(`stale: ${stale.join(", ")}. Run "node build.mjs" in assets/ and commit the result.`);
  }
  for (const name of outdated) await rm(path.join(target, name));
  for (const [name, bytes] of changed) await writeFile(path.join(target, name), bytes);
  for (const [name, bytes] of built) console.log(`${String(bytes.length).padStart(7)}  ${name}`);
}

main().catch((error) => {
  const missing = error.code === "ERR_MODULE_NOT_FOUND" ? '. Run "npm ci" in assets/ first.' : "";
  console.error(`build.mjs: ${error.message}${missing}`);
  process.exitCode = 1;
});
