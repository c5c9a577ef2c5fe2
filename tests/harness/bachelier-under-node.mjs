// Runs the normal model of the kernel's wasm under node, so that a test can compare V8's bits with those of the engine it runs in itself.
// Plain JavaScript without imports from the project: it must run where only node is. Standard input: option types and the five input
// columns as JSON; output: the SHA-256 of the 17 output columns in order, and of the volatilities and errors their prices give.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const { isCall, inputs } = JSON.parse(readFileSync(0, "utf8"));
const count = isCall.length;
const memory = new WebAssembly.Memory({ initial: 64, maximum: 4096, shared: true });
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { env: { memory } });
const { heap_base, request_bytes, scratch_bytes, price_batch, implied_volatility_batch } = instance.exports;
let next = heap_base();
const take = (bytes) => {
  const address = Math.ceil(next / 64) * 64;
  next = address + bytes;
  return address;
};
const request = take(request_bytes());
const words = new Uint32Array(memory.buffer, request, request_bytes() / 4);
// every output but the dividend rho, whose id is 6, and implied volatility and its error, whose ids are 30 and 31
const outputs = Array.from({ length: 18 }, (_, id) => id).filter((id) => id !== 6);
words[0] = 3;
words[1] = count;
words[2] = outputs.reduce((mask, id) => mask | (1 << id), 0);
words[4] = take(scratch_bytes());
words[5] = take(count);
words[6] = take(4 * count);
new Uint8Array(memory.buffer, words[5], count).set(isCall);
for (const [index, id] of [0, 1, 2, 3, 5].entries()) {
  words[8 + id] = take(8 * count);
  new Float64Array(memory.buffer, words[8 + id], count).set(inputs[index]);
}
for (const id of [...outputs, 30, 31]) words[24 + id] = take(8 * count);
words[8 + 6] = words[24];
new Float64Array(memory.buffer, request + 224, 32).fill(1);
price_batch(request);
implied_volatility_batch(request);
const hash = createHash("sha256");
for (const id of [...outputs, 30, 31])
  hash.update(Buffer.from(memory.buffer.slice(words[24 + id], words[24 + id] + 8 * count)));
process.stdout.write(`${hash.digest("hex")}\n`);
