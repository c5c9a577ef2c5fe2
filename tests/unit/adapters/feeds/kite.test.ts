// Kite's protocol over real sockets: bytes to quotes, subscriptions in batches, connections lost in every way and made again.

import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KiteFeed } from "../../../../src/adapters/feeds/kite";
import { type KiteInstruments, readKiteInstruments } from "../../../../src/adapters/feeds/kite-instruments";
import { parseKiteMessage } from "../../../../src/adapters/feeds/kite-packets";
import { systemClock } from "../../../../src/foundation/clock";
import { BsoptError } from "../../../../src/foundation/errors";
import { seededRandom } from "../../../../src/foundation/random";
import { CollectingSink, until } from "../../../harness/feeds";
import { marketDataFolder } from "../../../harness/market-data";
import { KiteServer, kiteMessage, kitePacket } from "../../../harness/venue-servers";

const nfo = 2;
const tokenOf = (number: number, segment = nfo) => number * 256 + segment;
const call = tokenOf(45_001);
const put = tokenOf(45_002);
const index = tokenOf(1_001, 9);
const seconds = 1_795_166_100;

const dump = [
  "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,segment,exchange",
  `${call},45001,NIFTY26NOV24000CE,NIFTY,0,2026-11-24,24000,0.05,65,CE,NFO-OPT,NFO`,
  `${put},45002,NIFTY26NOV24000PE,NIFTY,0,2026-11-24,24000,0.05,65,PE,NFO-OPT,NFO`,
  `${tokenOf(45_003)},45003,NIFTY26NOVFUT,NIFTY,0,2026-11-24,0,0.1,65,FUT,NFO-FUT,NFO`,
  `${index},1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE`,
  `${tokenOf(7, 1)},7,RELIANCE,RELIANCE INDUSTRIES,0,,0,0.1,1,EQ,NSE,NSE`,
  `${tokenOf(8, 1)},8,718GS2033-GS,GOI LOAN,0,,0,0.01,1,EQ,NSE,NSE`,
  `${tokenOf(9)},9,WHAT IS THIS,?,0,,0,0.01,1,CE,NFO-OPT,NFO`,
  `${tokenOf(10, 7)},10,CRUDEOIL26NOVFUT,CRUDE OIL,0,,0,1,100,FUT,MCX-FUT,MCX`,
].join("\n");

async function* bytesOf(text: string) {
  yield Buffer.from(text);
}
const instruments = () => readKiteInstruments(bytesOf(dump), "instruments.csv");

function fullPacket(token: number, at = seconds): Uint8Array {
  return kitePacket(184, {
    ...{ 0: token, 4: 12_345, 8: 65, 12: 12_300, 16: 250_000, 20: 1, 24: 2, 28: 1, 32: 1, 36: 1, 40: 1, 44: at - 1 },
    ...{ 48: 990_000, 60: at, 64: 130, 68: 12_340, 76: 65, 80: 12_335, 124: 195, 128: 12_350, 136: 65, 140: 12_355 },
  });
}

describe("S4.30 Kite's messages", () => {
  const samples = marketDataFolder("kite-packets-mit");
  test.skipIf(samples === null)("of Zerodha's own clients are read to the figures known of them", () => {
    const read = (name: string) => parseKiteMessage(readFileSync(join(samples!, `${name}Mode_binary.packet`)));
    const known = { token: 884_737, isIndex: false, last: 392.95 };
    for (const name of ["ltp", "quote", "full"]) {
      const { ticks, fault } = read(name);
      expect(fault).toBeNull();
      expect(ticks).toHaveLength(1);
      expect(ticks[0]).toMatchObject({ ...known, mode: name as "ltp" });
    }
    expect(read("quote").ticks[0]!.volume).toBe(22_261_032);
    expect(read("full").ticks[0]).toMatchObject({
      ...{ volume: 22_261_032, openInterest: 0, exchangeSeconds: 1_655_378_328 },
      ...{ bid: 392.95, bidSize: 5617, ask: Number.NaN, askSize: 0 },
    });
  });

  test("of each length tell what that length has", () => {
    const { ticks, fault } = parseKiteMessage(
      kiteMessage([
        kitePacket(8, { 0: call, 4: 10_005 }),
        kitePacket(28, { 0: index, 4: 2_400_050 }),
        kitePacket(32, { 0: index, 4: 2_400_055, 28: seconds }),
        kitePacket(44, { 0: call, 4: 10_010, 16: 77 }),
        fullPacket(put),
      ]),
    );
    expect(fault).toBeNull();
    const none = Number.NaN;
    const nothing = { bid: none, ask: none, bidSize: none, askSize: none, volume: none, openInterest: none };
    expect(ticks).toEqual([
      { token: call, isIndex: false, mode: "ltp", last: 100.05, ...nothing, exchangeSeconds: null },
      { token: index, isIndex: true, mode: "quote", last: 24_000.5, ...nothing, exchangeSeconds: null },
      { token: index, isIndex: true, mode: "full", last: 24_000.55, ...nothing, exchangeSeconds: seconds },
      { token: call, isIndex: false, mode: "quote", last: 100.1, ...nothing, volume: 77, exchangeSeconds: null },
      {
        ...{ token: put, isIndex: false, mode: "full", last: 123.45, bid: 123.4, ask: 123.5, bidSize: 130 },
        ...{ askSize: 195, volume: 250_000, openInterest: 990_000, exchangeSeconds: seconds },
      },
    ]);
  });

  test.each([
    ["currencies in ten-millionths", tokenOf(5, 3), 835_012_500, 83.50125],
    ["BSE's currencies in ten-thousandths", tokenOf(5, 6), 835_012, 83.5012],
    ["all others in hundredths", tokenOf(5, 7), 835_012, 8350.12],
  ])("have prices of %s", (_, token, raw, last) => {
    expect(parseKiteMessage(kiteMessage([kitePacket(8, { 0: token, 4: raw })])).ticks[0]!.last).toBe(last);
  });

  test("of one byte are heartbeats, and of none nothing", () => {
    expect(parseKiteMessage(new Uint8Array([0]))).toEqual({ ticks: [], fault: null });
    expect(parseKiteMessage(new Uint8Array())).toEqual({ ticks: [], fault: null });
  });

  const two = kiteMessage([fullPacket(call), fullPacket(put)]);
  test.each([
    ["ends within its second packet", two.subarray(0, two.length - 1), 1, "ends within packet 2 of 2"],
    ["ends before its second packet", two.subarray(0, 2 + 2 + 184 + 1), 1, "ends before packet 2 of 2"],
    [
      "says more packets than it has",
      new Uint8Array([0xff, 0xff, 0, 8, 0, 0, 0, 2, 0, 0, 0, 1]),
      1,
      "ends before packet 2 of 65535",
    ],
    [
      "has a packet of an unknown length",
      kiteMessage([new Uint8Array(12), fullPacket(put)]),
      1,
      "1 of 2 packets have an unknown length",
    ],
    ["goes on behind its packets", Buffer.concat([two, Buffer.alloc(3)]), 2, "goes on for 3 bytes behind its packets"],
  ])("that %s gives what is whole and a fault", (_, bytes, count, fault) => {
    const message = parseKiteMessage(bytes);
    expect(message.ticks).toHaveLength(count);
    expect(message.fault).toBe(fault);
  });

  test("of random bytes are never read beyond their end", () => {
    const random = seededRandom(5n);
    for (let count = 0; count < 20_000; count++) {
      const bytes = random.bytes(Math.floor(random.unit() * 60));
      if (bytes.length > 3) [bytes[0], bytes[2]] = [0, 0];
      expect(() => parseKiteMessage(bytes)).not.toThrow();
    }
  });
});

describe("Kite's list of instruments", () => {
  test("gives canonical symbols both ways, lots and steps, and counts what it can't read", async () => {
    const { symbols, tokens, instruments: listed, unreadableCount } = await instruments();
    expect([...symbols]).toEqual([
      [call, "nse:NIFTY26NOV24000CE"],
      [put, "nse:NIFTY26NOV24000PE"],
      [tokenOf(45_003), "nse:NIFTY26NOVFUT"],
      [index, "nse:NIFTY"],
      [tokenOf(7, 1), "nse:RELIANCE"],
    ]);
    for (const [token, symbol] of symbols) expect(tokens.get(symbol)).toBe(token);
    expect(listed[0]).toMatchObject({ multiplier: 65, tickSize: 0.05, strike: 24_000, underlying: "nse:NIFTY" });
    expect(listed[3]).toMatchObject({ kind: "underlying", multiplier: 1 });
    expect(unreadableCount).toBe(1);
  });

  test("without its columns is refused in words", async () => {
    const error = await readKiteInstruments(bytesOf("a,b\n1,2\n"), "x.csv").catch((thrown) => thrown);
    expect(error).toBeInstanceOf(BsoptError);
    expect(error.code).toBe("KITE_INSTRUMENTS_UNREADABLE");
  });
});

describe("S4.30 the feed from Kite", () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  function connect(
    change: { silence?: number; token?: () => Promise<string>; list?: () => Promise<KiteInstruments> } = {},
  ) {
    const server = new KiteServer();
    const feed = new KiteFeed({
      ...{ url: server.url, apiKey: "the-key", accessToken: change.token ?? (async () => "today's") },
      ...{ instruments: change.list ?? instruments, clock: systemClock, random: seededRandom(1n) },
      silenceMillisecondsMax: change.silence ?? 60_000,
      backoff: { baseMilliseconds: 2, waitMillisecondsMax: 10 },
    });
    const sink = new CollectingSink();
    feed.want(new Set(["nse:NIFTY26NOV24000CE", "nse:NIFTY", "deribit:BTC"]));
    stops.push(
      () => server.stop(),
      () => feed.stop(),
    );
    feed.start(sink);
    return { server, feed, sink };
  }

  const subscribed = (server: KiteServer) => () => server.modes.size === 2;

  test("says who it is, lists what there is, subscribes to what is wanted in full, and gives its quotes", async () => {
    const { server, feed, sink } = connect();
    await until(subscribed(server), "both subscriptions");
    expect(Object.fromEntries(server.searches[0]!)).toEqual({ api_key: "the-key", access_token: "today's" });
    expect(sink.listed.map(({ symbol }) => symbol)).toContain("nse:NIFTY26NOV24000PE");
    await until(() => server.modes.get(call) === "full" && server.modes.get(index) === "full", "full modes");
    server.send(kiteMessage([fullPacket(call), kitePacket(32, { 0: index, 4: 2_400_055, 28: seconds })]));
    await until(() => sink.taken.length === 2, "two quotes");
    expect(sink.taken[0]).toEqual({
      ...{ symbol: "nse:NIFTY26NOV24000CE", at: BigInt(seconds) * 1_000_000n, bid: 123.4, ask: 123.5, bidSize: 130 },
      ...{ askSize: 195, last: 123.45, volume: 250_000, openInterest: 990_000, sourceSequence: null },
    });
    expect(sink.taken[1]).toMatchObject({ symbol: "nse:NIFTY", last: 24_000.55 });
    expect([...feed.confirmed]).toEqual(["nse:NIFTY26NOV24000CE", "nse:NIFTY"]);
    expect(sink.states).toEqual(["live"]);
    expect(sink.faults).toEqual([]);
  });

  test("takes on what is wanted later, lets go what is not, and gives nothing that was not asked for", async () => {
    const { server, feed, sink } = connect();
    await until(subscribed(server), "both subscriptions");
    feed.want(new Set(["nse:NIFTY26NOV24000PE", "nse:NIFTY"]));
    await until(() => server.modes.has(put) && !server.modes.has(call), "the exchange");
    server.send(kiteMessage([fullPacket(call), fullPacket(put)]));
    await until(() => sink.taken.length === 1, "one quote");
    expect(sink.taken[0]!.symbol).toBe("nse:NIFTY26NOV24000PE");
  });

  test("subscribes in batches of 500, to 3,000 at most", async () => {
    const many = new Map(Array.from({ length: 3_500 }, (_, number) => [`nse:S${number}`, tokenOf(number + 1)]));
    const list = async () => ({
      ...{ tokens: many, symbols: new Map([...many].map(([symbol, token]) => [token, symbol])) },
      ...{ instruments: [], unreadableCount: 0 },
    });
    const { server, feed } = connect({ list });
    feed.want(new Set(many.keys()));
    await until(
      () => [...server.modes.values()].filter((mode) => mode === "full").length === 3_000,
      "3,000 subscriptions",
    );
    const batches = server.messages.filter(({ a }) => a === "subscribe").map(({ v }) => (v as number[]).length);
    expect(batches).toEqual([500, 500, 500, 500, 500, 500]);
  });

  test("TKN-001 connects again after a loss, with the token that holds then, and subscribes again", async () => {
    let day = 1;
    const { server, feed, sink } = connect({ token: async () => `day-${day}` });
    await until(subscribed(server), "both subscriptions");
    day = 2;
    server.hangUp();
    await until(() => server.connectionCount === 2 && server.modes.size === 2, "both subscriptions again");
    expect(server.searches[1]!.get("access_token")).toBe("day-2");
    expect(sink.states).toEqual(["live", "connecting", "live"]);
    expect(sink.gaps).toEqual([{ missingCount: Number.NaN, detail: "closed with 1001" }]);
    expect(feed.confirmed.size).toBe(0);
  });

  test("TKN-002 whose token can't be had, or is refused, says so each time without it, and goes on trying", async () => {
    let token: string | null = null;
    const { server, sink } = connect({
      token: async () => {
        if (token === null) throw new Error("the access token cannot be read");
        return token;
      },
    });
    await until(() => sink.gaps.length >= 3, "three attempts without a token");
    expect(server.connectionCount).toBe(0);
    expect(sink.gaps[0]!.detail).toBe("the access token cannot be read");
    server.refuseWith = 403;
    token = "yesterday's";
    await until(() => server.connectionCount >= 2, "two refused attempts");
    await until(() => sink.gaps.some(({ detail }) => detail === "refused with status 403"), "a refusal in words");
    expect(JSON.stringify(sink.gaps)).not.toContain("yesterday");
    server.refuseWith = null;
    await until(subscribed(server), "both subscriptions after all");
  });

  test("a connection that falls silent is given up and made again; heartbeats are no silence", async () => {
    const { server, sink } = connect({ silence: 150 });
    await until(subscribed(server), "both subscriptions");
    for (let beat = 0; beat < 6; beat++) {
      await Bun.sleep(50);
      server.send(new Uint8Array([0]));
    }
    expect(server.connectionCount).toBe(1);
    await until(() => server.connectionCount === 2, "a second connection");
    expect(sink.gaps[0]!.detail).toBe("silent for too long");
  });

  test("garbage, errors and unknown instruments are told, bounded in length, and what follows is read", async () => {
    const { server, sink } = connect();
    await until(subscribed(server), "both subscriptions");
    server.send(new Uint8Array([0, 9, 9]));
    server.send("{not json");
    server.send("[]");
    server.send(JSON.stringify({ type: "error", data: `x\u001b[31m${"y".repeat(5000)}` }));
    server.send(JSON.stringify({ type: "order", data: {} }));
    server.send(kiteMessage([fullPacket(tokenOf(99)), fullPacket(tokenOf(99))]));
    server.send(kiteMessage([fullPacket(call)]));
    await until(() => sink.taken.length === 1, "the quote behind it all");
    expect(sink.faults).toHaveLength(4);
    expect(sink.faults[2]).toStartWith("Kite says: x");
    expect(sink.faults[3]).toBe(`instrument ${tokenOf(99)} is not in the list of instruments`);
    for (const fault of sink.faults) {
      expect(fault.length).toBeLessThan(120);
      expect(fault).not.toContain("\u001b");
    }
  });

  test("a hundred thousand quotes in a row all come, in order", async () => {
    const { server, sink } = connect();
    await until(subscribed(server), "both subscriptions");
    for (let message = 0; message < 1_000; message++) {
      server.send(
        kiteMessage(Array.from({ length: 100 }, (_, place) => fullPacket(call, seconds + message * 100 + place))),
      );
      if (message % 50 === 0) await Bun.sleep(0);
    }
    await until(() => sink.taken.length === 100_000, "all of them");
    const first = BigInt(seconds) * 1_000_000n;
    expect(sink.taken.every(({ at }, place) => at === first + BigInt(place) * 1_000_000n)).toBe(true);
  });

  test("stopped while it waits, connects or lives, ends at once and comes back no more", async () => {
    const { server, feed } = connect();
    await until(subscribed(server), "both subscriptions");
    await feed.stop();
    expect(feed.state).toBe("stopped");
    await until(() => server.sockets.size === 0, "the connection's end");
    const waiting = connect({ token: () => Promise.reject(new Error("none")) });
    await until(() => waiting.sink.gaps.length > 0, "a failure");
    await waiting.feed.stop();
    const mute = connect();
    mute.server.isMute = true;
    mute.server.hangUp();
    await mute.feed.stop();
    expect(mute.feed.state).toBe("stopped");
  });
});
