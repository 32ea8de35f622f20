// Bundles the page and writes it as C++.
//   node build.mjs OUT.cc OUT.d    what it was made of stands in OUT.d, for ninja
//   node build.mjs --check         are the packages here? Status 0: yes
// What goes in: index.html, icon.svg, main.js with all that it imports, and its styles.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [out, dependencies] = process.argv.slice(2);
const isCheck = out === "--check";
if (!isCheck && dependencies === undefined) {
  console.error("build.mjs: the C++ file and its dependency file, or --check, are wanted");
  process.exit(2);
}

const license = "node_modules/uplot/LICENSE";
let build = null;
try {
  ({ build } = await import("esbuild"));
  readFileSync(join(here, license));
} catch (error) {
  console.error(`build.mjs: ${error.message}\nRun "npm ci" in ${here}`);
  process.exit(1);
}

// Its licence wants to stand in every copy.
const notice = { js: `/* uPlot:\n${readFileSync(join(here, license), "utf8").trim()}\n*/` };

const bundle = await build({
  absWorkingDir: here, entryPoints: ["main.js"], outdir: "assets", bundle: true, write: false,
  minify: true, format: "iife", target: ["es2022"], charset: "utf8", banner: notice,
  logLevel: "warning", metafile: true,
});
if (bundle.warnings.length > 0) process.exit(1);
if (isCheck) process.exit(0); // the compiler for this machine is there, too

const type = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8",
               html: "text/html; charset=utf-8", svg: "image/svg+xml" };
const files = [
  ["/", "html", readFileSync(join(here, "index.html"))],
  ["/assets/icon.svg", "svg", readFileSync(join(here, "icon.svg"))],
  ...bundle.outputFiles.map(({ path, contents }) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    return [`/assets/${name}`, name.slice(name.lastIndexOf(".") + 1), Buffer.from(contents)];
  }),
];

// Lines of a string literal; three octal digits end an escape whatever follows.
function literal(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 4096) {
    let line = "";
    for (const byte of bytes.subarray(at, at + 4096)) {
      const isPlain = byte >= 32 && byte < 127 && byte !== 34 && byte !== 92 && byte !== 63;
      line += isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`;
    }
    lines.push(`    "${line}"`);
  }
  return lines.join("\n");
}

const etag = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 32);
const rows = files.map(([path, kind, bytes]) =>
  `    {"${path}", "${type[kind]}", "\\"${etag(bytes)}\\"",\n     std::string_view(\n` +
  `${literal(bytes)},\n     ${bytes.length})},`);

const inputs = ["build.mjs", "package-lock.json", "index.html", "icon.svg", license,
                ...Object.keys(bundle.metafile.inputs)];
const escaped = (path) => join(here, path).replaceAll(" ", "\\ ");
writeFileSync(dependencies, `${out}: ${inputs.map(escaped).join(" ")}\n`);

writeFileSync(out, `// Made by src/admin/dashboard/build.mjs.
#include "admin/dashboard_files.h"

#pragma GCC diagnostic ignored "-Woverlength-strings"

namespace millrace {
namespace {

constexpr DashboardFile files[] = {
${rows.join("\n")}
};

}  // namespace

std::span<const DashboardFile> dashboard_files() { return files; }

}  // namespace millrace
`);
