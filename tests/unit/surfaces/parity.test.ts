// The parity fit against a chain worked by hand, and everything it must refuse or survive.

import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../src/foundation/random";
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

describe("S4.47 what the parity fit tells of itself", () => {
  const strikesOf = (fit: ParityFit) => Object.fromEntries(fit.strikes.map(({ strike, use }) => [strike, use]));

  test("of the hand-worked chain: the stale strike is the outlier, the others share the weight", () => {
    const fit = fitted({ strikes: handStrikes, timeToExpiry, spot });
    expect(fit.strikes.map(({ strike }) => strike)).toEqual(handStrikes.map(({ strike }) => strike));
    expect(fit.strikes.filter(({ use }) => use === "used")).toHaveLength(golden.expected.strikes_used);
    expect(fit.strikes.filter(({ use }) => use === "outlier")).toHaveLength(1);
    expect(fit.strikes.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 14);
    for (const { use, residual, weight } of fit.strikes) {
      expect(weight > 0).toBe(use === "used");
      if (use === "used") expect(Math.abs(residual)).toBeLessThan(1e-10);
      if (use === "outlier") expect(Math.abs(residual)).toBeGreaterThan(0.1);
    }
  });

  test("each rejected strike says why", () => {
    const strikes = chain(100, 0.97, [60, 90, 95, 100, 105, 110, 115, 300]);
    const spoiled = strikes.map((at) => {
      if (at.strike === 60) return { ...at, call: { bid: 0, ask: 1 } };
      if (at.strike === 115) return { ...at, put: { bid: 1, ask: 20 } };
      return at;
    });
    const fit = fitted({ strikes: spoiled, timeToExpiry: 1 });
    expect(strikesOf(fit)).toEqual({
      60: "call_illiquid",
      90: "used",
      95: "used",
      100: "used",
      105: "used",
      110: "used",
      115: "put_illiquid",
      300: "far_from_the_money",
    });
    expect(fit.strikes[0]!.residual).toBeNaN();
    expect(fit.quality).toBe("sound");
  });

  test("a strike that is no price is far from any money", () => {
    const strikes = [...chain(100, 0.97, [90, 95, 100, 105, 110]), { ...chain(100, 0.97, [100])[0]!, strike: 0 }];
    expect(fitted({ strikes, timeToExpiry: 1 }).strikes.at(-1)!.use).toBe("far_from_the_money");
  });

  test("standard errors are those of weighted least squares, by hand on five strikes", () => {
    // Middles off the line by ±0.01 in turns, equal widths: the biweight's cut is far away, so weights are all but equal.
    const offs = [0.01, -0.01, 0.01, -0.01, 0.01];
    const strikes = chain(100, 0.97, [80, 90, 100, 110, 120], 1).map((at, index) => ({
      ...at,
      call: { bid: at.call.bid + offs[index]!, ask: at.call.ask + offs[index]! },
    }));
    const fit = fitted({ strikes, timeToExpiry: 2 });
    // Residuals about their mean 0.002: the slope is 0, so the sum of squares is 4.8e-4 of 3 degrees; Σ(K − 100)² = 1000.
    const variance = 4.8e-4 / 3;
    expect(fit.forwardError).toBeCloseTo(Math.sqrt(variance / 5) / 0.97, 5);
    expect(fit.rateError).toBeCloseTo(Math.sqrt(variance / 1000) / 0.97 / 2, 6);
    expect(fit.residualHalfWidths).toBeCloseTo(fit.residualRms, 10);
    const withRate = fitted({ strikes, timeToExpiry: 2, rate: fit.rate });
    expect(withRate.rateError).toBeNaN();
    expect(withRate.forwardError).toBeCloseTo(Math.sqrt(4.8e-4 / 4 / 5) / 0.97, 5);
    const prepaid = fit.forward * fit.discount;
    const withYield = fitted({ strikes, timeToExpiry: 2, spot: prepaid, dividendYield: 0 });
    // Through a fixed point at K = 0: Σ K² = 51,000.
    expect(withYield.rateError).toBeCloseTo(Math.sqrt(4.8e-4 / 4 / 51_000) / 0.97 / 2, 6);
    expect(withYield.forwardError).toBeCloseTo((Math.sqrt(4.8e-4 / 4 / 51_000) / 0.97) * 100, 4);
  });

  test("over made-up noise the forward is off by its own standard error, give or take", () => {
    const random = seededRandom(17n);
    let [inside, count] = [0, 0];
    for (; count < 200; count++) {
      const strikes = chain(
        100,
        0.97,
        Array.from({ length: 40 }, (_, index) => 80 + index),
        1,
      ).map((at) => {
        const off = 0.1 * (random.unit() - 0.5);
        return { ...at, call: { bid: at.call.bid + off, ask: at.call.ask + off } };
      });
      const fit = fitted({ strikes, timeToExpiry: 1 });
      if (Math.abs(fit.forward - 100) < 2 * fit.forwardError) inside += 1;
      expect(fit.quality).toBe("sound");
    }
    expect(inside / count).toBeGreaterThan(0.9);
    expect(inside / count).toBeLessThan(1);
  });

  test("a line is doubtful where it runs outside the quotes, or most of them contradict it", () => {
    const noisy = chain(100, 0.97, [80, 85, 90, 95, 100, 105, 110, 115, 120], 0.02).map((at, index) => ({
      ...at,
      call: { bid: at.call.bid + 0.3 * Math.sin(5 * index), ask: at.call.ask + 0.3 * Math.sin(5 * index) },
    }));
    expect(fitted({ strikes: noisy, timeToExpiry: 1 }).quality).toBe("doubtful");
    const split = chain(
      100,
      0.97,
      Array.from({ length: 20 }, (_, index) => 90 + index),
    ).map((at, index) =>
      index % 5 < 2 ? { ...at, call: { bid: at.call.bid + 3 + index, ask: at.call.ask + 3 + index } } : at,
    );
    expect(fitted({ strikes: split, timeToExpiry: 1 }).quality).toBe("doubtful");
  });

  test("figures given rest on no quotes: no errors, and every strike that could have counted says so", () => {
    const fit = fitted({
      strikes: chain(100, 1, [90, 100, 110]),
      timeToExpiry: 1,
      spot: 100,
      rate: 0,
      dividendYield: 0,
    });
    expect(fit.quality).toBe("given");
    expect([fit.forwardError, fit.rateError]).toEqual([Number.NaN, Number.NaN]);
    expect(fit.strikes.map(({ use, weight }) => [use, weight])).toEqual(Array(3).fill(["given", 0]));
  });
});
