// The socket's wire, spoken by hand: first each rule of RFC 6455 that a client can break, a row a rule, then random frames, sound and broken.
// Nothing crashes, nothing is a fault of the server, whatever it sends is itself sound, and it closes with the right code. Here 20,000
// frames; BSOPT_FUZZ_FRAMES=1000000 makes it a million.

import { afterAll, expect, test } from "bun:test";
import { streamingRoutes } from "../../src/features/streaming";
import { createHub, testStream } from "../../src/features/streaming/stream";
import { systemClock } from "../../src/foundation/clock";
import { seededRandom } from "../../src/foundation/random";
import { createSockets } from "../../src/http/socket";
import { testAuthenticator, testPrincipal, testServer } from "../harness/http";
import { RawConnection } from "../harness/http-socket";
import { recordingLog } from "../harness/storage";
import { StreamClient } from "../harness/stream-client";

const frameCount = Number(process.env.BSOPT_FUZZ_FRAMES ?? 20_000);
const seed = BigInt(process.env.BSOPT_FUZZ_SEED ?? 20_261_121);

const log = recordingLog();
const most = 1_000_000;
const hub = createHub({ clock: systemClock, log, limits: { bufferBytesMax: 65_536, slowMillisecondsMax: 10_000 } });
const stream = testStream({ hub, clock: systemClock });
hub.open(stream.family);
const sockets = createSockets({
  hub,
  authenticator: testAuthenticator,
  limits: {
    messageBytesMax: 65_536,
    messagesPerSecond: most,
    channelsPerConnectionMax: 10,
    connectionsMax: most,
    connectionsPerUserMax: most,
    connectionsPerAddressMax: most,
  },
  corsOrigins: () => [],
  clock: systemClock,
  log,
  traceId: () => "0".repeat(32),
});
const failures: unknown[] = [];
const server = testServer({
  features: [
    streamingRoutes({
      tickets: { issue: () => Promise.reject(new Error("none")) },
      principalOf: () => testPrincipal("viewer"),
    }),
  ],
  sockets,
  log,
  onFailed: (failed) => failures.push(failed),
});
const { port, url } = server.listen();
afterAll(async () => {
  stream.stop();
  await server.close();
});

interface FrameOptions {
  readonly isLast?: boolean;
  readonly isMasked?: boolean;
  readonly reserved?: number;
  /** What the head says instead of the payload's length. */
  readonly said?: number;
  /** Write the length in that many bytes whatever it is. */
  readonly lengthBytes?: 0 | 2 | 8;
}

function frame(opcode: number, content: string | Uint8Array, options: FrameOptions = {}): Buffer {
  const { isLast = true, isMasked = true, reserved = 0 } = options;
  const payload = Buffer.from(content as string);
  const length = options.said ?? payload.length;
  const lengthBytes = options.lengthBytes ?? (length < 126 ? 0 : length < 65_536 ? 2 : 8);
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (isLast ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (isMasked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (!isMasked) return Buffer.concat([head, payload]);
  const mask = Buffer.from([0x0a, 0x1b, 0xc2, 0xd3]);
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index & 3]!)]);
}

const closing = (code: number, reason: string | Uint8Array = "") => {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason as string)]);
};

async function connect(): Promise<RawConnection> {
  const connection = new RawConnection(port);
  connection.send(
    `GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-API-Key: bso_test_viewer\r\n\r\n`,
  );
  expect((await connection.answer()).status).toBe(101);
  return connection;
}

/** Everything the server sent; throws where a frame of it is not sound. */
function framesOf(received: string): { opcode: number; payload: Buffer }[] {
  const bytes = Buffer.from(received, "latin1");
  const found: { opcode: number; payload: Buffer }[] = [];
  for (let at = 0; at < bytes.length; ) {
    const opcode = bytes[at]! & 15;
    if ((bytes[at]! & 0xf0) !== 0x80 || ![1, 8, 9, 10].includes(opcode)) throw new Error(`a head of ${bytes[at]}`);
    const short = bytes[at + 1]!;
    if (short > 127) throw new Error("a masked frame from the server");
    const head = short === 126 ? 4 : short === 127 ? 10 : 2;
    const length =
      short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
    if (at + head + length > bytes.length) throw new Error("half a frame");
    found.push({ opcode, payload: bytes.subarray(at + head, at + head + length) });
    at += head + length;
  }
  return found;
}

const ping = '{"id":1,"op":"ping"}';
const pong = '{"id":1,"ok":true}';
const half = Math.floor(ping.length / 2);
/** Cases end with a close of our own where the rule allows the connection to live on, which answers 1000. */
const bye = frame(8, closing(1000));
const rows: [string, Buffer[], { code: number | null; texts?: string[]; pongs?: string[] }][] = [
  ["1.1 text in one frame", [frame(1, ping), bye], { code: 1000, texts: [pong] }],
  ["1.1 empty text is no JSON", [frame(1, ""), bye], { code: 1000 }],
  ["1.1 a length written longer than needed", [frame(1, ping, { lengthBytes: 8 }), bye], { code: 1000, texts: [pong] }],
  ["1.2 binary", [frame(2, "x")], { code: 1003 }],
  ["2.1 a ping without content", [frame(9, ""), bye], { code: 1000, pongs: [""] }],
  [
    "2.3 a ping with bytes that are no text",
    [frame(9, Buffer.from([0, 255, 254])), bye],
    { code: 1000, pongs: ["\x00\xff\xfe"] },
  ],
  ["2.4 a ping of 125 bytes", [frame(9, "a".repeat(125)), bye], { code: 1000, pongs: ["a".repeat(125)] }],
  ["2.5 a ping of 126 bytes", [frame(9, "a".repeat(126))], { code: 1002 }],
  ["2.7 a pong nobody asked for", [frame(10, "x"), frame(1, ping), bye], { code: 1000, texts: [pong] }],
  [
    "2.10 ten pings in their order",
    [...Array(10).keys()].map((index) => frame(9, `${index}`)).concat(bye),
    { code: 1000, pongs: [..."0123456789"] },
  ],
  ["3.1 a reserved bit", [frame(1, ping, { reserved: 1 })], { code: 1002 }],
  [
    "3.2 a reserved bit after a sound message",
    [frame(1, ping), frame(1, ping, { reserved: 2 })],
    { code: 1002, texts: [pong] },
  ],
  ["3.4 compression that was not agreed", [frame(1, ping, { reserved: 4 })], { code: 1002 }],
  ["3.5 a reserved bit in a ping", [frame(9, "", { reserved: 4 })], { code: 1002 }],
  ...[3, 4, 5, 6, 7].map((opcode): (typeof rows)[number] => [
    `4.1 opcode ${opcode}`,
    [frame(opcode, "")],
    { code: 1002 },
  ]),
  ...[11, 12, 13, 14, 15].map((opcode): (typeof rows)[number] => [
    `4.2 opcode ${opcode}`,
    [frame(opcode, "x")],
    { code: 1002 },
  ]),
  ["5.1 a ping in fragments", [frame(9, "x", { isLast: false }), frame(0, "y")], { code: 1002 }],
  [
    "5.3 text in two fragments",
    [frame(1, ping.slice(0, half), { isLast: false }), frame(0, ping.slice(half)), bye],
    { code: 1000, texts: [pong] },
  ],
  [
    "5.5 text a byte a fragment",
    [frame(1, "", { isLast: false }), ...[...ping].map((byte) => frame(0, byte, { isLast: false })), frame(0, ""), bye],
    { code: 1000, texts: [pong] },
  ],
  [
    "5.6 a ping inside fragments",
    [frame(1, ping.slice(0, half), { isLast: false }), frame(9, "in"), frame(0, ping.slice(half)), bye],
    { code: 1000, texts: [pong], pongs: ["in"] },
  ],
  ["5.9 a continuation of nothing", [frame(0, "x")], { code: 1002 }],
  ["5.18 a message inside fragments", [frame(1, "x", { isLast: false }), frame(1, "y")], { code: 1002 }],
  ["5.20 a close inside fragments", [frame(1, "x", { isLast: false }), bye], { code: 1000 }],
  [
    "6.2 UTF-8 cut between fragments is sound",
    [
      frame(1, Buffer.from('{"id":"\xc3', "latin1"), { isLast: false }),
      frame(0, Buffer.from('\xa9","op":"ping"}', "latin1")),
      bye,
    ],
    { code: 1000, texts: ['{"id":"é","ok":true}'] },
  ],
  ["6.3 a byte that UTF-8 has not", [frame(1, Buffer.from([0x22, 0xff, 0x22]))], { code: 1007 }],
  ["6.6 UTF-8 that ends early", [frame(1, Buffer.from([0xe2, 0x82]))], { code: 1007 }],
  ["6.12 an overlong slash", [frame(1, Buffer.from([0xc0, 0xaf]))], { code: 1007 }],
  ["6.13 half of a surrogate pair", [frame(1, Buffer.from([0xed, 0xa0, 0x80]))], { code: 1007 }],
  ["6.21 above the last code point", [frame(1, Buffer.from([0xf4, 0x90, 0x80, 0x80]))], { code: 1007 }],
  [
    "6.4 broken UTF-8 in the last fragment",
    [frame(1, "ok", { isLast: false }), frame(0, Buffer.from([0xc3, 0x28]))],
    { code: 1007 },
  ],
  ["7.1 what follows a close is not looked at", [bye, frame(1, ping)], { code: 1000 }],
  ["7.3 a close without a code", [frame(8, "")], { code: null }],
  ["7.3 a close of one byte", [frame(8, "x")], { code: 1002 }],
  ["7.3 a close with a reason of 123 bytes", [frame(8, closing(1000, "r".repeat(123)))], { code: 1000 }],
  ["7.3 a close of 126 bytes", [frame(8, closing(1000, "r".repeat(124)))], { code: 1002 }],
  ["7.5 a reason that is no UTF-8", [frame(8, closing(1000, Buffer.from([0xce, 0xff])))], { code: 1007 }],
  ...[1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map((code): (typeof rows)[number] => [
    `7.7 a close with ${code}`,
    [frame(8, closing(code))],
    { code },
  ]),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map((code): (typeof rows)[number] => [
    `7.9 a close with ${code}`,
    [frame(8, closing(code))],
    { code: 1002 },
  ]),
  [
    "9.1 the largest message that is taken",
    [frame(1, `${ping}${" ".repeat(65_536 - ping.length)}`), bye],
    { code: 1000, texts: [pong] },
  ],
  ["9.1 one byte more", [frame(1, " ".repeat(65_537))], { code: 1009 }],
  ["9.2 a length of half the address space", [frame(1, "", { said: 2 ** 52, lengthBytes: 8 })], { code: 1009 }],
  [
    "9.3 fragments that come to too much",
    [...Array(9).keys()].map((index) => frame(index === 0 ? 1 : 0, " ".repeat(8_000), { isLast: false })),
    { code: 1009 },
  ],
  ["an unmasked frame", [frame(1, ping, { isMasked: false })], { code: 1002 }],
  ["no WebSocket at all", [Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")], { code: 1002 }],
];

test.each(rows)("S4.44 wire: %s", async (_, frames, { code, texts, pongs = [] }) => {
  for (const isWhole of [true, false]) {
    const connection = await connect();
    if (isWhole) connection.send(Buffer.concat(frames));
    else {
      for (const each of frames) {
        connection.send(each);
        await Bun.sleep(0);
      }
    }
    await connection.closed();
    const answers = framesOf(connection.rest);
    const last = answers.at(-1)!;
    expect(last.opcode).toBe(8);
    expect(last.payload.length < 2 ? null : last.payload.readUInt16BE()).toBe(code);
    expect(answers.filter(({ opcode }) => opcode === 10).map(({ payload }) => payload.toString("latin1"))).toEqual(
      pongs,
    );
    if (texts)
      expect(answers.filter(({ opcode }) => opcode === 1).map(({ payload }) => payload.toString())).toEqual(texts);
  }
});

const random = seededRandom(seed);
const below = (count: number) => Math.floor(random.unit() * count);
const pick = <T>(items: readonly T[]): T => items[below(items.length)]!;
const messages = [
  ping,
  '{"id":2,"op":"subscribe","channels":["test"]}',
  '{"id":"three","op":"unsubscribe","channels":["test","test"]}',
  '{"op":"subscribe","channels":["test"],"resume":{"test":1790000000}}',
  '{"op":"auth","token":"bso_test_viewer"}',
  '{"op":"auth","token":"x"}',
  "[]",
  "null",
  `${"[".repeat(40)}`,
  '{"__proto__":{"op":"ping"}}',
];

/** Most frames are sound, so that a connection lives to see the broken one. */
function anyFrame(): Buffer {
  const chance = random.unit();
  if (chance < 0.5) return frame(1, pick(messages));
  if (chance < 0.6) return frame(pick([9, 10]), random.bytes(below(126)));
  if (chance < 0.7) {
    const text = pick(messages);
    const cut = below(text.length + 1);
    const between = random.unit() < 0.3 ? [frame(9, "x")] : [];
    return Buffer.concat([frame(1, text.slice(0, cut), { isLast: false }), ...between, frame(0, text.slice(cut))]);
  }
  if (chance < 0.985) {
    const text = Buffer.from(pick(messages));
    // A byte changed within ASCII: text still, and seldom JSON.
    text[below(text.length)] = 32 + below(95);
    return frame(1, text);
  }
  return frame(below(16), random.bytes(below(300)), {
    isLast: random.unit() < 0.7,
    isMasked: random.unit() < 0.9,
    reserved: random.unit() < 0.2 ? below(8) : 0,
    ...(random.unit() < 0.1 && { said: below(200_000) }),
  });
}

test(`S4.44 ${frameCount} random frames, sound and broken, end no process and leave no error, and every answer is sound`, async () => {
  const codes = new Map<number | null, number>();
  let sent = 0;
  const one = async () => {
    while (sent < frameCount) {
      const connection = await connect();
      const count = Math.min(100, frameCount - sent);
      sent += count;
      connection.send(Buffer.concat([...Array.from({ length: count }, anyFrame), bye]));
      // A frame that said more than came, or a message left open, waits for the rest: nobody hangs on it.
      const waited = await Promise.race([connection.closed(), Bun.sleep(2_000).then(() => "open")]);
      if (waited === "open") connection.close();
      else {
        const answers = framesOf(connection.rest);
        for (const { opcode, payload } of answers) if (opcode === 1) JSON.parse(payload.toString());
        const last = answers.at(-1)!;
        const code = last.payload.length < 2 ? null : last.payload.readUInt16BE();
        expect(last.opcode).toBe(8);
        codes.set(code, (codes.get(code) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  const known = [null, 1000, 1002, 1003, 1007, 1009];
  for (const code of codes.keys())
    expect({
      seed,
      isKnown: known.includes(code) || (code as number) >= 3000 || [1001, 1008, 1010, 1011].includes(code as number),
    }).toEqual({ seed, isKnown: true });
  for (const code of [1000, 1002]) expect(codes.get(code) ?? 0).toBeGreaterThan(0);
  expect(failures).toEqual([]);
  expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
  const client = await StreamClient.open(url, { headers: { "x-api-key": "bso_test_viewer" } });
  expect((await client.ask("ping")).ok).toBe(true);
  await client.close();
  while (sockets.statistics().connections > 0) await Bun.sleep(5);
  expect(hub.statistics().subscriptions).toBe(0);
}, 600_000);
