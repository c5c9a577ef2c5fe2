// A single option beside million-row batches: one client sends books of options as Arrow, one after the other, while another asks
// for single options on a schedule and for /health; their delays are counted from when they were due, alone and beside. The
// built executable runs in a process of its own, with as many threads as it takes by itself. Printed, never judged: absolute
// times belong to the machine. Arguments: seconds a part, rows of a book.

import { writeWireArrow } from "../../src/adapters/tabular/wire-arrow-writer";
import { Installation } from "../../tests/harness/executable";

const seconds = Number(process.argv[2] ?? 5);
const rows = Number(process.argv[3] ?? 1_000_000);
const intervalMilliseconds = 5;

const option = {
  model: "black_scholes_merton",
  option_type: "call",
  spot: 100,
  strike: 105,
  time_to_expiry: 0.5,
  rate: 0.03,
  volatility: 0.2,
};

function bookOfOptions(): Uint8Array<ArrayBuffer> {
  const filled = (value: number) => new Float64Array(rows).fill(value);
  const column = (name: string, values: Float64Array) => ({ name, kind: "number" as const, values });
  const columns = [
    { name: "option_type", kind: "text" as const, values: Array.from({ length: rows }, () => "call") },
    column("spot", filled(100)),
    column(
      "strike",
      Float64Array.from({ length: rows }, (_, row) => 50 + (100 * row) / rows),
    ),
    column("time_to_expiry", filled(0.5)),
    column("rate", filled(0.03)),
    column("volatility", filled(0.2)),
  ];
  return new Uint8Array(Buffer.concat([...writeWireArrow({ count: rows, columns }, {})].flat()));
}

/** Asks every few milliseconds, whatever became of the last, and gives the sorted delays in milliseconds. */
async function delaysOf(ask: () => Promise<Response>, until: number): Promise<number[]> {
  const delays: number[] = [];
  const asked: Promise<void>[] = [];
  for (let due = performance.now(); due < until; due += intervalMilliseconds) {
    const wait = due - performance.now();
    if (wait > 0) await Bun.sleep(wait);
    asked.push(
      ask().then(async (response) => {
        await response.arrayBuffer();
        if (response.status !== 200) throw new Error(`answered ${response.status}`);
        delays.push(performance.now() - due);
      }),
    );
  }
  await Promise.all(asked);
  return delays.sort((one, other) => one - other);
}

function line(name: string, sorted: readonly number[]): string {
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(2);
  return `${name.padEnd(44)} p50 ${at(0.5)} ms  p99 ${at(0.99)} ms  max ${at(1)} ms  (${sorted.length})\n`;
}

const arrow = "application/vnd.apache.arrow.stream";

/** Sends books until standard input ends; prints how many million options a second were answered. */
async function sendBooks(url: string, key: string): Promise<void> {
  const body = bookOfOptions();
  const headers = { "content-type": arrow, accept: arrow, "x-api-key": key };
  let isOver = false;
  const ended = (async () => {
    for await (const _ of process.stdin);
    isOver = true;
  })();
  let count = 0;
  let begun = performance.now();
  while (!isOver) {
    const target = `${url}/api/v1/pricing/batch?model=black_scholes_merton`;
    const response = await fetch(target, { method: "POST", body, headers });
    if (response.status !== 200) throw new Error(`a book was answered ${response.status}: ${await response.text()}`);
    for await (const _ of response.body!);
    // The first tells that books are under way, and is not counted.
    if (count === 0) {
      begun = performance.now();
      process.stdout.write("begun\n");
    }
    count += 1;
  }
  process.stdout.write(`${(((count - 1) * rows) / (performance.now() - begun) / 1000).toFixed(2)}\n`);
  await ended;
}

/** Measures both, alone and beside the books; returns the lines to print. */
export async function benchFairness(): Promise<string> {
  const installation = new Installation();
  try {
    const serving = await installation.serve({ args: ["--table-rows-max", String(rows)] });
    const headers = { "content-type": "application/json", "x-api-key": serving.key() };
    const body = JSON.stringify(option);
    const single = () => fetch(`${serving.url}/api/v1/pricing/price`, { method: "POST", body, headers });
    const health = () => fetch(`${serving.url}/health`);
    const measure = async (what: string) => {
      const until = performance.now() + seconds * 1000;
      const [singles, healths] = await Promise.all([delaysOf(single, until), delaysOf(health, until)]);
      return line(`single option ${what}`, singles) + line(`/health ${what}`, healths);
    };
    await measure("to warm up");
    let text = await measure("alone");
    const sender = Bun.spawn(
      [process.execPath, import.meta.path, String(seconds), String(rows), "--books", serving.url, serving.key()],
      { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
    );
    const reader = sender.stdout.getReader();
    await reader.read();
    text += await measure(`beside books of ${rows}`);
    sender.stdin.end();
    const { value } = await reader.read();
    text += `books meanwhile: ${new TextDecoder().decode(value).trim()} million options a second\n`;
    await sender.exited;
    await serving.stop();
    return text;
  } finally {
    installation.remove();
  }
}

if (import.meta.main) {
  const books = process.argv.indexOf("--books");
  if (books > 0) await sendBooks(process.argv[books + 1]!, process.argv[books + 2]!);
  else process.stdout.write(await benchFairness());
}
