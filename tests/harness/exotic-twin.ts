// Slow twins of the closed formulas for digital, barrier and lookback options: payoffs integrated over transition densities that are written
// down one by one. Nothing is shared with the kernel: the payoffs' cases are not taken apart, two barriers are a series of eigenfunctions
// instead of images, payments at a hit are integrals over the hit's moment, and a maximum has its own density.
// Sources: Borodin and Salminen (2002), Handbook of Brownian Motion, part II; Karlin and Taylor (1981), chapter 15 (eigenfunctions).

/** Everything a twin wants to know, of an option whose barriers have not been hit. */
export interface TwinRow {
  readonly spot: number;
  readonly time: number;
  readonly rate: number;
  readonly dividendYield: number;
  readonly volatility: number;
}

/** ∫ f over [low, high] by panels of Gauss–Legendre's sixteen points; breaks are where f may have kinks. */
export function integral(
  f: (x: number) => number,
  low: number,
  high: number,
  breaks: readonly number[] = [],
  panels = 40,
): number {
  const ends = [low, ...breaks.filter((x) => x > low && x < high).toSorted((a, b) => a - b), high];
  let sum = 0;
  for (let part = 1; part < ends.length; part++) {
    const from = ends[part - 1]!;
    const width = (ends[part]! - from) / panels;
    for (let panel = 0; panel < panels; panel++) {
      const middle = from + (panel + 0.5) * width;
      for (let point = 0; point < nodes.length; point++) {
        const off = 0.5 * width * nodes[point]!;
        sum += 0.5 * width * weights[point]! * (f(middle - off) + f(middle + off));
      }
    }
  }
  return sum;
}
const nodes = [
  0.09501250983763744, 0.2816035507792589, 0.45801677765722737, 0.6178762444026438, 0.755404408355003,
  0.8656312023878318, 0.9445750230732326, 0.9894009349916499,
];
const weights = [
  0.1894506104550685, 0.1826034150449236, 0.16915651939500254, 0.14959598881657674, 0.12462897125553388,
  0.09515851168249279, 0.062253523938647894, 0.0271524594117541,
];

const driftOf = ({ rate, dividendYield, volatility }: TwinRow) => rate - dividendYield - 0.5 * volatility ** 2;
const reach = 12;

/** The density of ln(S_T/S) on paths that have not hit the barrier at h = ln(H/S); h = ∞ is without one. */
function livingDensity(row: TwinRow, h: number): (y: number) => number {
  const nu = driftOf(row);
  const variance = row.volatility ** 2 * row.time;
  const norm = 1 / Math.sqrt(2 * Math.PI * variance);
  return (y) => {
    const own = Math.exp(-((y - nu * row.time) ** 2) / (2 * variance));
    // the share of paths from 0 to y that have been at h: e^(-2h(h - y)/σ²T)
    return norm * own * (Number.isFinite(h) ? -Math.expm1((-2 * h * (h - y)) / variance) : 1);
  };
}

/** The same between barriers at -x and w - x, by eigenfunctions. */
function corridorDensity(row: TwinRow, x: number, w: number): (y: number) => number {
  const nu = driftOf(row);
  const { volatility, time } = row;
  const decay = (Math.PI * volatility) ** 2 * (time / (2 * w * w));
  const terms = Math.ceil(Math.sqrt(45 / decay)) + 1;
  return (y) => {
    let sum = 0;
    for (let k = 1; k <= terms; k++) {
      sum += Math.exp(-decay * k * k) * Math.sin((k * Math.PI * x) / w) * Math.sin((k * Math.PI * (x + y)) / w);
    }
    return (2 / w) * sum * Math.exp((nu * y) / volatility ** 2 - (nu * nu * time) / (2 * volatility ** 2));
  };
}

/** What a payoff of the spot at expiry is worth, if no barrier (null where there is none) was hit until then. */
export function livingTwin(
  row: TwinRow,
  lower: number | null,
  upper: number | null,
  payoff: (spot: number) => number,
  kinks: readonly number[],
): number {
  const { spot, time, rate, volatility } = row;
  const deviation = volatility * Math.sqrt(time);
  const middle = driftOf(row) * time;
  // under the asset's own measure the weight lies a variance higher
  const low = Math.max(lower === null ? -Infinity : Math.log(lower / spot), middle - reach * deviation);
  const high = Math.min(
    upper === null ? Infinity : Math.log(upper / spot),
    middle + deviation * deviation + reach * deviation,
  );
  if (!(low < high)) return 0;
  const density =
    lower !== null && upper !== null
      ? corridorDensity(row, Math.log(spot / lower), Math.log(upper / lower))
      : livingDensity(
          row,
          lower !== null ? Math.log(lower / spot) : upper !== null ? Math.log(upper / spot) : Infinity,
        );
  const breaks = [...kinks.filter((kink) => kink > 0).map((kink) => Math.log(kink / spot)), middle, 0];
  return Math.exp(-rate * time) * integral((y) => density(y) * payoff(spot * Math.exp(y)), low, high, breaks);
}

/** What 1 at the hit of one barrier is worth: the integral over the hit's moment. */
export function hitTwin(row: TwinRow, barrier: number): number {
  const h = Math.log(barrier / row.spot);
  const { rate, time, volatility } = row;
  const nu = driftOf(row);
  // t = h²/(σ²z²) turns the moment's density into a normal one
  const least = Math.abs(h) / (volatility * Math.sqrt(time));
  const f = (z: number) => {
    const t = (h / (volatility * z)) ** 2;
    return Math.exp((nu * h) / volatility ** 2 - (nu * nu * t) / (2 * volatility ** 2) - rate * t - 0.5 * z * z);
  };
  // in ln z, because it may begin close to 0; the peak lies where z² = √(2κ) |h|/σ
  return (
    Math.sqrt(2 / Math.PI) *
    integral((u) => f(Math.exp(u)) * Math.exp(u), Math.log(least), Math.log(Math.max(60, 2 * least)))
  );
}

/** The same of one of two barriers, the other not hit before: the flux of the eigenfunctions at it. */
export function hitOneTwin(row: TwinRow, lower: number, upper: number, isLower: boolean): number {
  const { rate, time, volatility, spot } = row;
  const w = Math.log(upper / lower);
  const x = isLower ? Math.log(spot / lower) : Math.log(upper / spot);
  const nu = driftOf(row) * (isLower ? 1 : -1);
  const variance = volatility ** 2;
  const flux = (t: number) => {
    const decay = (Math.PI ** 2 * variance * t) / (2 * w * w);
    const terms = Math.ceil(Math.sqrt(45 / decay)) + 1;
    let sum = 0;
    for (let k = 1; k <= terms; k++) sum += k * Math.exp(-decay * k * k) * Math.sin((k * Math.PI * x) / w);
    const tilt = Math.exp((-nu * x) / variance - (nu * nu * t) / (2 * variance) - rate * t);
    return ((Math.PI * variance) / (w * w)) * sum * tilt;
  };
  // before this the hit is less likely than e^-40
  const first = (x * x) / (variance * 80);
  if (first >= time) return 0;
  return integral((u) => flux(Math.exp(u)) * Math.exp(u), Math.log(first), Math.log(time));
}

/** What a payoff of the maximum (or minimum) until expiry is worth, over the extreme's own density. */
export function extremeTwin(
  row: TwinRow,
  isMaximum: boolean,
  payoff: (extreme: number) => number,
  kinks: readonly number[],
): number {
  const { spot, time, rate, volatility } = row;
  const sign = isMaximum ? 1 : -1;
  // the extreme of a sign-changed path is the other extreme
  const nu = driftOf(row) * sign;
  const variance = volatility ** 2;
  const s = volatility * Math.sqrt(time);
  // density of m ≥ 0: 2φ((m - νT)/s)/s - (2ν/σ²) e^(2νm/σ²) N(-(m + νT)/s)
  const density = (m: number) => {
    const d = (m - nu * time) / s;
    return (
      (2 * Math.exp(-0.5 * d * d)) / (Math.sqrt(2 * Math.PI) * s) -
      ((2 * nu) / variance) * tail((m + nu * time) / s, (2 * nu * m) / variance)
    );
  };
  const high = Math.max(0, nu * time) + reach * s + (isMaximum ? s * s : 0);
  const breaks = [...kinks.map((kink) => sign * Math.log(kink / spot)), Math.max(0, nu * time), s];
  return Math.exp(-rate * time) * integral((m) => density(m) * payoff(spot * Math.exp(sign * m)), 0, high, breaks);
}

/** e^weight N(-x), by a continued fraction in the tail and the law's own series elsewhere. */
function tail(x: number, weight: number): number {
  if (x > 3) {
    let fraction = 0;
    for (let k = 120; k >= 1; k--) fraction = k / (x + fraction);
    return Math.exp(weight - 0.5 * x * x) / (Math.sqrt(2 * Math.PI) * (x + fraction));
  }
  return Math.exp(weight) * (0.5 - centralPart(x));
}

/** N(x) - 1/2 by φ(x) (x + x³/3 + x⁵/15 + …); far out one half. */
function centralPart(x: number): number {
  if (Math.abs(x) > 9) return 0.5 * Math.sign(x);
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-18 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}
