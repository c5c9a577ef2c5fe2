// The benches of streams at a tiny size: that they run, lose nothing and count what they say they count.

import { expect, test } from "bun:test";
import { clientFrame, latenessMax, type Report } from "../../../bench/streaming/crowd";
import { benchDeaf, benchPublish, within } from "../../../bench/streaming/sockets";

test("a frame through the hub and one by the runtime alone both reach every client", async () => {
  const { ours, bare } = await benchPublish({ clients: 5, frames: 10, rounds: 1 });
  expect(ours).toBeGreaterThan(0);
  expect(bare).toBeGreaterThan(0);
});

test("a crowd that reads misses nothing beside one that does not", async () => {
  const figure = await benchDeaf({ readers: 3, deaf: 3, seconds: 0.2, looksMax: 3 });
  expect(figure.gaps).toBe(0);
  expect(figure.p99.beside).toBeLessThan(latenessMax);
});

test("lateness is told by the part of all frames that came within it", () => {
  const lateness = new Array<number>(latenessMax + 1).fill(0);
  lateness[3] = 98;
  lateness[40] = 2;
  const report: Report = { open: 1, frames: 100, gaps: 0, closed: 0, failed: 0, lateness };
  expect([0.5, 0.98, 0.99, 1].map((part) => within(part, [report]))).toEqual([3, 3, 40, 40]);
});

test("a client's frame is masked and says its length", () => {
  expect([...clientFrame(1, new TextEncoder().encode("A"))]).toEqual([0x81, 0x81, 0x37, 0xfa, 0x21, 0x3d, 0x41 ^ 0x37]);
  expect([...clientFrame(1, new Uint8Array(300)).subarray(0, 4)]).toEqual([0x81, 0xfe, 1, 44]);
});
