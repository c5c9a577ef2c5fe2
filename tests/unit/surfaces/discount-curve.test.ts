// Curves through their pillars, with forwards that make sense between; par bonds that are worth par; real policy rates by their days.

import { describe, expect, test } from "bun:test";
import { daysFromCivil, parseCivilDate } from "../../../src/domain/calendar";
import { seededRandom } from "../../../src/foundation/random";
import {
  bootstrapPar,
  continuousRate,
  curveInterpolations,
  type DiscountCurve,
  flatCurve,
  type RateChange,
  rateOn,
  zeroCurve,
} from "../../../src/surfaces/discount-curve";
import { marketData } from "../../harness/market-data";

const pillars = { times: [0.25, 0.5, 1, 2, 5, 10], rates: [0.043, 0.042, 0.039, 0.036, 0.038, 0.041] };

/** −ln D differenced. */
const differenced = (curve: DiscountCurve, time: number, h = 1e-6) =>
  Math.log(curve.discount(time - h) / curve.discount(time + h)) / (2 * h);

describe("discount curves", () => {
  test("a flat one has one rate everywhere", () => {
    const curve = flatCurve(0.04);
    expect(curve.discount(2)).toBeCloseTo(Math.exp(-0.08), 15);
    expect([curve.zeroRate(0), curve.zeroRate(3), curve.forwardRate(7)]).toEqual([0.04, 0.04, 0.04]);
  });

  test.each(curveInterpolations)("%s goes through its pillars and begins at 1", (interpolation) => {
    const curve = zeroCurve(pillars, interpolation);
    expect(curve.discount(0)).toBe(1);
    pillars.times.forEach((time, index) => {
      expect(curve.zeroRate(time)).toBeCloseTo(pillars.rates[index]!, 14);
      expect(curve.discount(time)).toBeCloseTo(Math.exp(-pillars.rates[index]! * time), 14);
    });
    expect(curve.zeroRate(0)).toBe(curve.forwardRate(0));
  });

  test.each(curveInterpolations)(
    "%s: the forward is the discount's own slope, between and after the pillars",
    (interpolation) => {
      const curve = zeroCurve(pillars, interpolation);
      for (const time of [0.1, 0.3, 0.6, 0.9, 1.3, 1.9, 3, 4.5, 7, 9.9, 15])
        expect(curve.forwardRate(time)).toBeCloseTo(differenced(curve, time), 8);
    },
  );

  test("log-linear discounts have level forwards; after the last pillar the last goes on", () => {
    const curve = zeroCurve(pillars, "log_linear_discount");
    const stretch = (0.036 * 2 - 0.039) / 1;
    expect([curve.forwardRate(1), curve.forwardRate(1.99)]).toEqual([curve.forwardRate(1.5), curve.forwardRate(1.5)]);
    expect(curve.forwardRate(1.5)).toBeCloseTo(stretch, 15);
    expect(curve.forwardRate(30)).toBeCloseTo((0.041 * 10 - 0.038 * 5) / 5, 14);
    expect(curve.discount(2.5)).toBeCloseTo(Math.sqrt(curve.discount(2) * curve.discount(3)), 15);
  });

  test("monotone convex forwards are continuous at the pillars", () => {
    const curve = zeroCurve(pillars, "monotone_convex");
    for (const time of pillars.times)
      expect(curve.forwardRate(time - 1e-10)).toBeCloseTo(curve.forwardRate(time + 1e-10), 8);
  });

  test("one pillar makes a flat curve by either", () => {
    for (const interpolation of curveInterpolations) {
      const curve = zeroCurve({ times: [2], rates: [0.03] }, interpolation);
      expect([curve.zeroRate(0.5), curve.zeroRate(9), curve.forwardRate(1)].map((rate) => rate.toFixed(14))).toEqual(
        Array(3).fill((0.03).toFixed(14)),
      );
    }
  });

  test("300 random curves of falling discounts have no negative forward, by either; their stretches keep their averages", () => {
    const random = seededRandom(3n);
    for (let count = 0; count < 300; count++) {
      const times: number[] = [];
      const rates: number[] = [];
      let [time, growth] = [0, 0];
      for (let index = 0; index < 6; index++) {
        const step = 0.1 + 2 * random.unit();
        // Now and then a stretch that hardly grows beside ones that do: where cubic splines go negative.
        growth += step * (random.unit() < 0.3 ? 0.0005 : 0.12 * random.unit());
        time += step;
        times.push(time);
        rates.push(growth / time);
      }
      for (const interpolation of curveInterpolations) {
        const curve = zeroCurve({ times, rates }, interpolation);
        for (let at = 0; at < time + 2; at += time / 97) expect(curve.forwardRate(at)).toBeGreaterThanOrEqual(-1e-15);
        for (const [index, at] of times.entries()) expect(curve.zeroRate(at)).toBeCloseTo(rates[index]!, 13);
      }
    }
  });

  test("monotone convex follows every shape: all four regions of Hagan and West, forwards against differences", () => {
    for (const averages of [
      [0.05, 0.02, 0.05], // turns within: both ends above
      [0.01, 0.03, 0.2], // begins level
      [0.2, 0.03, 0.01], // ends level
      [0.02, 0.03, 0.04], // one parabola
      [0.02, 0.05, 0.02], // turns within: both ends below
      [0.04, 0.04, 0.04],
      [-0.01, -0.02, 0.01], // below zero nothing is kept above it
    ]) {
      const rates = averages.map(
        (_, index) => averages.slice(0, index + 1).reduce((sum, each) => sum + each, 0) / (index + 1),
      );
      const curve = zeroCurve({ times: [1, 2, 3], rates }, "monotone_convex");
      for (let time = 0.05; time < 3.2; time += 0.09)
        expect(curve.forwardRate(time)).toBeCloseTo(differenced(curve, time), 7);
      for (const [index, rate] of rates.entries()) expect(curve.zeroRate(index + 1)).toBeCloseTo(rate, 14);
    }
  });

  test.each([
    ["slowly, then fast", [0.01, 0.011, 0.2]],
    ["fast, then slowly", [0.01, 0.19, 0.2]],
    ["evenly", [0.01, 0.02, 0.03]],
  ])("where stretches rise %s, monotone convex forwards never fall", (_, averages) => {
    const rates = averages.map(
      (_each, index) => averages.slice(0, index + 1).reduce((sum, each) => sum + each, 0) / (index + 1),
    );
    const curve = zeroCurve({ times: [1, 2, 3], rates }, "monotone_convex");
    let before = 0;
    for (let time = 0; time <= 3; time += 0.01) {
      expect(curve.forwardRate(time)).toBeGreaterThanOrEqual(before - 1e-12);
      before = curve.forwardRate(time);
    }
  });

  test.each([
    ["times that don't rise", { times: [1, 1], rates: [0.01, 0.02] }],
    ["a time of 0", { times: [0, 1], rates: [0.01, 0.02] }],
    ["too few rates", { times: [1, 2], rates: [0.01] }],
    ["nothing", { times: [], rates: [] }],
    ["no number", { times: [1], rates: [Number.NaN] }],
  ])("of %s there is no curve", (_, given) => {
    expect(() => zeroCurve(given, "monotone_convex")).toThrow();
  });

  test("no discount before now", () => {
    expect(() => zeroCurve(pillars, "monotone_convex").discount(-1)).toThrow("before now");
  });

  test("a rate compounded twice a year becomes the continuous one of the same growth", () => {
    expect(Math.exp(continuousRate(0.05, 2))).toBeCloseTo(1.025 ** 2, 14);
    expect(Math.exp(continuousRate(0.05, 1))).toBeCloseTo(1.05, 14);
  });
});

describe("par yields", () => {
  const par = {
    maturities: [0.25, 0.5, 1, 2, 5, 10],
    yields: [0.04, 0.041, 0.042, 0.039, 0.043, 0.046],
    couponsPerYear: 2,
  };

  test("each bond is worth 1 on the curve that they make", () => {
    const curve = zeroCurve(bootstrapPar(par)!, "log_linear_discount");
    par.maturities.forEach((maturity, index) => {
      const parYield = par.yields[index]!;
      if (maturity <= 0.5) expect(curve.discount(maturity) * (1 + parYield * maturity)).toBeCloseTo(1, 14);
      else {
        let worth = curve.discount(maturity);
        for (let time = 0.5; time <= maturity; time += 0.5) worth += (parYield / 2) * curve.discount(time);
        expect(worth).toBeCloseTo(1, 12);
      }
    });
  });

  test("a level par curve is a level zero curve", () => {
    const level = bootstrapPar({ maturities: [1, 2, 3, 7], yields: [0.04, 0.04, 0.04, 0.04], couponsPerYear: 1 })!;
    for (const rate of level.rates) expect(rate).toBeCloseTo(Math.log(1.04), 12);
  });

  test("a yield that no discounts make worth 1 has no curve, a maturity between coupons is refused", () => {
    expect(bootstrapPar({ maturities: [1, 2], yields: [0.04, 30], couponsPerYear: 1 })).toBeNull();
    expect(() => bootstrapPar({ maturities: [1.3], yields: [0.04], couponsPerYear: 1 })).toThrow("number of periods");
    expect(() => bootstrapPar({ maturities: [1], yields: [], couponsPerYear: 1 })).toThrow("yields");
  });
});

const history = marketData("rates");

describe("a rate by its day", () => {
  const changes: RateChange[] = [
    { day: 10, rate: 0.01 },
    { day: 20, rate: 0.02 },
  ];

  test.each([
    [9, null],
    [10, 0.01],
    [19, 0.01],
    [20, 0.02],
    [1000, 0.02],
  ])("on day %d it is %p", (day, rate) => {
    expect(rateOn(changes, day)).toBe(rate);
  });

  test.skipIf(history === null)(
    "the published US primary credit rate: 5.5 % in August 2023, 0.25 % in 2021, none in 1999",
    () => {
      const [, ...lines] = history!["lean-us-interest-rate.csv"]!.trim().split("\n");
      const dayOf = (text: string) => {
        const { year, month, day } = parseCivilDate(text)!;
        return daysFromCivil(year, month, day);
      };
      const rates = lines.map((line) => {
        const [date, percent] = line.split(",");
        return { day: dayOf(date!), rate: Number(percent) / 100 };
      });
      expect(rates.length).toBeGreaterThan(50);
      expect(rateOn(rates, dayOf("2023-08-04"))).toBe(0.055);
      expect(rateOn(rates, dayOf("2021-06-01"))).toBe(0.0025);
      expect(rateOn(rates, dayOf("1999-12-31"))).toBeNull();
      expect(flatCurve(continuousRate(rateOn(rates, dayOf("2023-08-04"))!, 1)).discount(1)).toBeCloseTo(1 / 1.055, 14);
    },
  );
});
