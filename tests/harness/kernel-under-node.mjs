// Runs the kernel's wasm under node, so that a test can compare V8's bits with those of the engine it runs in itself. Plain
// JavaScript without imports from the project: it must run where only node is. Standard input: option types and the six
// input columns as JSON; output: the SHA-256 of the six output columns in order.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const { isCall, inputs } = JSON.parse(readFileSync(0, "utf8"));
const count = isCall.length;
const memory = new WebAssembly.Memory({ initial: 16, maximum: 4096, shared: true });
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), { env: { memory } });
const { heap_base, request_bytes, scratch_bytes, price_batch } = instance.exports;
let next = heap_base();
const take = (bytes) => {
  const address = Math.ceil(next / 64) * 64;
  next = address + bytes;
  return address;
};
const request = take(request_bytes());
const words = new Uint32Array(memory.buffer, request, request_bytes() / 4);
words[1] = count;
words[2] = 0b111111;
words[4] = take(scratch_bytes());
words[5] = take(count);
words[6] = take(4 * count);
new Uint8Array(memory.buffer, words[5], count).set(isCall);
for (const [index, column] of inputs.entries()) {
  words[8 + index] = take(8 * count);
  new Float64Array(memory.buffer, words[8 + index], count).set(column);
}
for (let output = 0; output < 6; output++) words[24 + output] = take(8 * count);
new Float64Array(memory.buffer, request + 224, 32).fill(1);
price_batch(request);
const hash = createHash("sha256");
for (let output = 0; output < 6; output++) hash.update(new Uint8Array(memory.buffer, words[24 + output], 8 * count));
process.stdout.write(`${hash.digest("hex")}\n`);
