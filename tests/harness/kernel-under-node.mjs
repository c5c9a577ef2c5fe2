// Runs the kernel's wasm under node, so that a test can compare V8's bits with those of the engine it runs in itself. Plain
// JavaScript without imports from the project: it must run where only node is. Standard input, as JSON: the model's id, option
// types, input columns with their ids and output ids; output: the SHA-256 of the output columns in that order.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const { model, isCall, inputs, outputs } = JSON.parse(readFileSync(0, "utf8"));
const count = isCall.length;
const memory = new WebAssembly.Memory({ initial: 32, maximum: 4096, shared: true });
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
words[0] = model;
words[1] = count;
words[2] = outputs.reduce((mask, id) => mask | (1 << id), 0);
words[4] = take(scratch_bytes());
words[5] = take(count);
words[6] = take(4 * count);
new Uint8Array(memory.buffer, words[5], count).set(isCall);
for (const { id, column } of inputs) {
  words[8 + id] = take(8 * count);
  new Float64Array(memory.buffer, words[8 + id], count).set(column);
}
for (const id of outputs) words[24 + id] = take(8 * count);
new Float64Array(memory.buffer, request + 224, 32).fill(1);
price_batch(request);
const hash = createHash("sha256");
for (const id of outputs) hash.update(new Uint8Array(memory.buffer, words[24 + id], 8 * count));
process.stdout.write(`${hash.digest("hex")}\n`);
