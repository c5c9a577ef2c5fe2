// Zerodha's binary messages to numbers. Separate from the connection, because bytes can be judged without one. A message holds packets; what
// a packet tells follows from its length. Must never read beyond a packet, whatever its lengths say.
//
// Source: Kite Connect 3, "WebSocket streaming", message structure; the sample packets of Zerodha's own clients (MIT).

/** What a packet tells. NaN: nothing of it. Prices in the instrument's currency. */
export interface KiteTick {
  readonly token: number;
  readonly isIndex: boolean;
  readonly mode: "ltp" | "quote" | "full";
  readonly last: number;
  readonly bid: number;
  readonly ask: number;
  readonly bidSize: number;
  readonly askSize: number;
  /** Of the day. */
  readonly volume: number;
  readonly openInterest: number;
  /** The exchange's moment in whole seconds since 1970; null where the packet has none. */
  readonly exchangeSeconds: number | null;
}

export interface KiteMessage {
  readonly ticks: readonly KiteTick[];
  /** What could not be read, in words. */
  readonly fault: string | null;
}

/** The last byte of a token says where it is traded. */
const segments = { currencies: 3, bseCurrencies: 6, indices: 9 } as const;
const sizes: Readonly<Record<number, KiteTick["mode"]>> = {
  8: "ltp",
  28: "quote",
  32: "full",
  44: "quote",
  184: "full",
};
const depth = { start: 64, levelBytes: 12, levels: 5 };

/** The number that prices of a token are written as multiples of. */
function divisorOf(token: number): number {
  const segment = token & 0xff;
  if (segment === segments.currencies) return 1e7;
  return segment === segments.bseCurrencies ? 1e4 : 100;
}

/** Reads a binary message. One byte alone is a heartbeat and holds nothing. */
export function parseKiteMessage(bytes: Uint8Array): KiteMessage {
  if (bytes.length < 2) return { ticks: [], fault: null };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint16(0);
  const ticks: KiteTick[] = [];
  let unknownCount = 0;
  let start = 2;
  for (let index = 0; index < count; index++) {
    if (start + 2 > bytes.length) return { ticks, fault: `ends before packet ${index + 1} of ${count}` };
    const size = view.getUint16(start);
    start += 2;
    if (start + size > bytes.length) return { ticks, fault: `ends within packet ${index + 1} of ${count}` };
    const tick = tickOf(view, start, size);
    if (tick) ticks.push(tick);
    else unknownCount += 1;
    start += size;
  }
  if (unknownCount > 0) return { ticks, fault: `${unknownCount} of ${count} packets have an unknown length` };
  return { ticks, fault: start < bytes.length ? `goes on for ${bytes.length - start} bytes behind its packets` : null };
}

function tickOf(view: DataView, start: number, size: number): KiteTick | null {
  const mode = sizes[size];
  if (mode === undefined) return null;
  const token = view.getUint32(start);
  const divisor = divisorOf(token);
  const price = (at: number) => view.getInt32(start + at) / divisor;
  const count = (at: number) => view.getUint32(start + at);
  const isIndex = (token & 0xff) === segments.indices;
  const none = Number.NaN;
  const tick = {
    ...{ token, isIndex, mode, last: price(4), bid: none, ask: none, bidSize: none, askSize: none },
    ...{ volume: none, openInterest: none, exchangeSeconds: null },
  };
  if (size === 8 || size === 28) return tick;
  if (size === 32) return { ...tick, exchangeSeconds: count(28) };
  if (size === 44) return { ...tick, volume: count(16) };
  const bid = bestOf(view, start, 0, divisor);
  const ask = bestOf(view, start, depth.levels, divisor);
  return {
    ...{ ...tick, volume: count(16), openInterest: count(48), exchangeSeconds: count(60) },
    ...{ bid: bid.price, bidSize: bid.size, ask: ask.price, askSize: ask.size },
  };
}

/** The first level of a side; without quantity there is none. */
function bestOf(view: DataView, start: number, level: number, divisor: number): { price: number; size: number } {
  const at = start + depth.start + level * depth.levelBytes;
  const size = view.getUint32(at);
  return size === 0 ? { price: Number.NaN, size: 0 } : { price: view.getInt32(at + 4) / divisor, size };
}
