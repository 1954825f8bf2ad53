// Loading the generated JavaScript API as a program in Node does: saved to a file, and required.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The client that a server gives, and its text. */
export async function load(url) {
  const answer = await fetch(`${url}/rest/_jsapi.js`);
  if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
  const text = await answer.text();
  const directory = mkdtempSync(join(tmpdir(), "jsapi-"));
  const file = join(directory, "_jsapi.js");
  writeFileSync(file, text);
  const restdb = createRequire(import.meta.url)(file);
  rmSync(directory, { recursive: true });
  return { restdb, text };
}

/** The one line of input. */
export async function input() {
  let text = "";
  for await (const part of process.stdin) text += part;
  return JSON.parse(text);
}

/** Waits until something is so; after 20 seconds it is not going to be. */
export async function until(what, holds) {
  const deadline = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
