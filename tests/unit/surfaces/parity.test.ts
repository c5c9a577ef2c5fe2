// The parity fit against a chain worked by hand, and everything it must refuse or survive.

import { describe, expect, test } from "bun:test";
import { fitParity, type ParityFit, type ParityRequest, type ParityStrike } from "../../../src/surfaces/parity";
import golden from "../../golden/parity-hand.json";

const quote = ([bid, ask]: readonly number[]) => ({ bid: bid!, ask: ask! });
const handStrikes: ParityStrike[] = golden.strikes.map(({ strike, call, put }) => ({
  strike,
  call: quote(call),
  put: quote(put),
}));

function fitted(request: ParityRequest): ParityFit {
  const fit = fitParity(request);
  if (typeof fit === "string") throw new Error(fit);
  return fit;
}

/** Quotes on the line, each `width` wide. */
function chain(forward: number, discount: number, strikes: readonly number[], width = 0.2): ParityStrike[] {
  return strikes.map((strike) => {
    const put = Math.max(discount * (strike - forward), 0) + 5;
    const call = put + discount * (forward - strike);
    const around = (mid: number) => ({ bid: mid - width / 2, ask: mid + width / 2 });
    return { strike, call: around(call), put: around(put) };
  });
}

const { timeToExpiry, spot } = { timeToExpiry: golden.time_to_expiry, spot: golden.spot };

describe("S4.47 the parity fit", () => {
  test("finds the hand-worked chain's forward, discount, rate and yield, and throws the stale strike out", () => {
    const fit = fitted({ strikes: handStrikes, timeToExpiry, spot });
    const { expected } = golden;
    expect(fit.source).toBe("parity");
    expect(fit.forward).toBeCloseTo(expected.forward, 10);
    expect(fit.discount).toBeCloseTo(expected.discount, 12);
    expect(fit.rate).toBeCloseTo(expected.rate, 11);
    expect(fit.dividendYield).toBeCloseTo(expected.dividend_yield, 10);
    expect(fit.strikesSeen).toBe(expected.strikes_seen);
    expect(fit.strikesUsed).toBe(expected.strikes_used);
    expect(fit.residualRms).toBeLessThan(1e-12);
  });

  test("a rate given is held and the forward inferred", () => {
    const fit = fitted({ strikes: handStrikes, timeToExpiry, spot, rate: golden.expected.rate });
    expect(fit.source).toBe("parity_with_rate");
    expect(fit.rate).toBe(golden.expected.rate);
    expect(fit.forward).toBeCloseTo(100, 10);
  });

  test("a dividend yield given is held and the discount inferred", () => {
    const dividendYield = -Math.log(98 / 99) / 0.5;
    const fit = fitted({ strikes: handStrikes, timeToExpiry, spot, dividendYield });
    expect(fit.source).toBe("parity_with_dividend_yield");
    expect(fit.dividendYield).toBe(dividendYield);
    expect(fit.discount).toBeCloseTo(0.98, 12);
    expect(fit.forward).toBeCloseTo(100, 10);
  });

  test("rate and yield given need no quotes at all", () => {
    const fit = fitted({ strikes: [], timeToExpiry: 2, spot: 50, rate: 0.04, dividendYield: 0.01 });
    expect(fit).toMatchObject({ source: "given", rate: 0.04, dividendYield: 0.01, strikesUsed: 0 });
    expect(fit.forward).toBeCloseTo(50 * Math.exp(0.06), 12);
    expect(fit.discount).toBeCloseTo(Math.exp(-0.08), 15);
    expect(fit.residualRms).toBeNaN();
  });

  test("rate and yield given still tell how far the quotes lie from them", () => {
    const fit = fitted({
      strikes: chain(100, 1, [90, 100, 110]),
      timeToExpiry: 1,
      spot: 100,
      rate: 0,
      dividendYield: 0.01,
    });
    expect(fit.residualRms).toBeCloseTo(100 - 100 * Math.exp(-0.01), 10);
  });

  test("without a spot no dividend yield is told", () => {
    expect(fitted({ strikes: handStrikes, timeToExpiry }).dividendYield).toBeNaN();
  });

  test("locked markets count like any other", () => {
    const fit = fitted({ strikes: chain(100, 0.97, [90, 95, 100, 105, 110], 0), timeToExpiry: 1 });
    expect(fit.forward).toBeCloseTo(100, 10);
    expect(fit.discount).toBeCloseTo(0.97, 12);
  });

  test("quotes rounded to a tick all count, even where three of them lie on a line by chance", () => {
    const rounded = [
      [5600, 831.4, 836.8, 246.8, 248.7],
      [5800, 676.6, 681.1, 284.1, 286.2],
      [6000, 531.9, 535.5, 331.3, 333.7],
      [6200, 402.3, 405.1, 393.7, 396.5],
      [6400, 293.3, 295.5, 476.7, 480],
    ] as const;
    const strikes = rounded.map(([strike, callBid, callAsk, putBid, putAsk]) => ({
      strike,
      call: quote([callBid, callAsk]),
      put: quote([putBid, putAsk]),
    }));
    const fit = fitted({ strikes, timeToExpiry: 364.125 / 365 });
    expect(fit.strikesUsed).toBe(5);
    // Made with rate 0.038 and forward 6050 · exp((0.038 − 0.012)·T); a tick of 0.1 is worth 3 basis points here.
    expect(fit.rate).toBeCloseTo(0.038, 3);
    expect(fit.forward).toBeCloseTo(6209.1, 0);
  });

  test("strikes far from the money are left out, however wrong they are", () => {
    const far = chain(100, 0.5, [300, 310, 320, 330, 340, 350, 360, 370]);
    const fit = fitted({ strikes: [...chain(100, 0.97, [90, 95, 100, 105, 110]), ...far], timeToExpiry: 1 });
    expect(fit.strikesUsed).toBe(5);
    expect(fit.discount).toBeCloseTo(0.97, 12);
  });

  test("a negative rate is as good as any", () => {
    const fit = fitted({ strikes: chain(100, 1.02, [90, 95, 100, 105, 110]), timeToExpiry: 1 });
    expect(fit.rate).toBeCloseTo(-Math.log(1.02), 12);
  });

  test("more strikes than the start looks at give the same line", () => {
    const strikes = Array.from({ length: 400 }, (_, index) => 60 + index / 5);
    const fit = fitted({ strikes: chain(100, 0.97, strikes), timeToExpiry: 1 });
    expect(fit.strikesUsed).toBe(400);
    expect(fit.forward).toBeCloseTo(100, 10);
  });

  test("a strike quoted far wider weighs less than a tight one", () => {
    const tight = chain(100, 0.97, [90, 95, 100, 105, 110], 0.1);
    const [wide] = chain(100, 0.97, [108], 0.6);
    const shifted = { ...wide!, call: { bid: wide!.call.bid + 0.02, ask: wide!.call.ask + 0.02 } };
    const tightShifted = {
      ...shifted,
      call: { bid: shifted.call.bid + 0.25, ask: shifted.call.ask - 0.25 },
      put: { bid: shifted.put.bid + 0.25, ask: shifted.put.ask - 0.25 },
    };
    const noise = tight.map((at, index) => ({
      ...at,
      call: { bid: at.call.bid + (index % 2) * 0.01, ask: at.call.ask + (index % 2) * 0.01 },
    }));
    const error = (extra: ParityStrike) =>
      Math.abs(fitted({ strikes: [...noise, extra], timeToExpiry: 1 }).forward - 100);
    expect(error(shifted)).toBeLessThan(error(tightShifted));
  });

  const five = chain(100, 0.97, [90, 95, 100, 105, 110]);
  const same = Array.from({ length: 5 }, () => five[0]!);
  const refused: [string, ParityRequest, string][] = [
    ["no time left", { strikes: five, timeToExpiry: 0 }, "expired"],
    ["less than no time left", { strikes: five, timeToExpiry: -1 }, "expired"],
    ["no number for a time", { strikes: five, timeToExpiry: Number.NaN }, "expired"],
    ["no strikes", { strikes: [], timeToExpiry: 1 }, "too_few_strikes"],
    ["three strikes", { strikes: five.slice(0, 3), timeToExpiry: 1 }, "too_few_strikes"],
    ["one strike and a rate", { strikes: five.slice(0, 1), timeToExpiry: 1, rate: 0.01 }, "too_few_strikes"],
    ["only one strike, many times", { strikes: same, timeToExpiry: 1 }, "no_line"],
    [
      "calls that rise with the strike",
      { strikes: chain(100, -0.5, [90, 95, 100, 105, 110]), timeToExpiry: 1 },
      "no_line",
    ],
    ["a yield without a spot", { strikes: five, timeToExpiry: 1, dividendYield: 0.01 }, "no_spot"],
    [
      "calls without bids",
      { strikes: five.map((at) => ({ ...at, call: { bid: 0, ask: 1 } })), timeToExpiry: 1 },
      "too_few_strikes",
    ],
    [
      "crossed puts",
      { strikes: five.map((at) => ({ ...at, put: { bid: 6, ask: 5 } })), timeToExpiry: 1 },
      "too_few_strikes",
    ],
    [
      "quotes wide open",
      { strikes: five.map((at) => ({ ...at, call: { bid: 1, ask: 20 } })), timeToExpiry: 1 },
      "too_few_strikes",
    ],
  ];
  test.each(refused)("with %s there is no line, and it says why", (_, request, failure) => {
    expect(fitParity(request)).toBe(failure as never);
  });
});
