// What the project stands on: pinned exactly, named with a reason in ARCHITECTURE.md, under licences that let the
// executable be given away, and without an address of any registry.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../build/fingerprint.mjs";
import { importsOf, readSources } from "../harness/house";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const lock = readFileSync(join(root, "bun.lock"), "utf8");
const architecture = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
const shipped = Object.keys(manifest.dependencies);
const all = { ...manifest.dependencies, ...manifest.devDependencies };

/** Licences that ask for no more than their text to be kept. */
const permissive = /^(MIT|MIT-0|ISC|Apache-2\.0|BSD-2-Clause|BSD-3-Clause|0BSD|Unlicense|BlueOak-1\.0\.0|CC0-1\.0)$/;

/** Every package that the shipped ones bring along, themselves included, as far as this machine's install has them. */
function closure(names: readonly string[]): Map<string, string> {
  const licences = new Map<string, string>();
  const visit = (name: string) => {
    if (licences.has(name)) return;
    let text: string;
    try {
      text = readFileSync(join(root, "node_modules", name, "package.json"), "utf8");
    } catch {
      return; // optional packages of other platforms
    }
    const { license, dependencies = {}, optionalDependencies = {} } = JSON.parse(text);
    licences.set(name, typeof license === "string" ? license : JSON.stringify(license));
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next);
  };
  for (const name of names) visit(name);
  return licences;
}

describe("dependencies", () => {
  test("S2.45 each is pinned to one exact version", () => {
    expect(
      Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[a-z]+\.\d+)?$/.test(String(version))),
    ).toEqual([]);
  });

  test("each earns its line in ARCHITECTURE.md", () => {
    const quiet = ["@types/bun", "@types/smtp-server", "bun-types", "ajv-formats"];
    expect(Object.keys(all).filter((name) => !quiet.includes(name) && !architecture.includes(name))).toEqual([]);
  });

  test("S2.45 what is shipped, with all it brings along, is under permissive licences", () => {
    const licences = closure(shipped);
    expect(licences.size).toBeGreaterThan(shipped.length);
    const parts = (licence: string) => licence.replace(/[()]/g, "").split(/ OR /);
    const refused = [...licences].filter(([, licence]) => !parts(licence).some((part) => permissive.test(part)));
    expect(refused).toEqual([]);
  });

  test("src imports only what is shipped", () => {
    const known = [...shipped, "bun", "bun:ffi"];
    const foreign = readSources(root, ["src"])
      .flatMap(importsOf)
      .filter(({ to, isRelative }) => !isRelative && !to.startsWith("node:"))
      .filter(({ to }) => !known.some((name) => to === name || to.startsWith(`${name}/`)));
    expect(foreign).toEqual([]);
  });

  test("S3.22 the lock file holds no address and no credential", () => {
    expect(lock).not.toMatch(/https?:\/\//);
  });
});
