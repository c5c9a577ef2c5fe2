// A second opinion on American options: finite differences for the pricing equation itself, in plain TypeScript. Separate because it shares nothing
// with the kernel: no boundary is solved for, no call is turned into a put. Crank–Nicolson on a uniform grid in ln S after four implicit
// half-steps (Rannacher 1984), the right to exercise by a penalty (Forsyth and Vetzal 2002), which knows nothing of how many boundaries there
// are. Error: the square of both steps; Richardson's extrapolation over two grids leaves some 1e-5 of the strike where volatility is usual.

/** An option by its numbers. */
export interface GridOption {
  readonly isCall: boolean;
  readonly spot: number;
  readonly strike: number;
  readonly time: number;
  readonly rate: number;
  readonly dividendYield: number;
  readonly volatility: number;
  /** Years and amount, soonest first, all before expiry; the asset falls by the amount, or to nearly nothing. */
  readonly dividends?: readonly (readonly [number, number])[];
}

/** What a grid gives at the spot. */
export interface GridValue {
  readonly price: number;
  readonly delta: number;
  readonly gamma: number;
}

/** Price, delta and gamma, extrapolated from a grid and one twice as fine. */
export function gridValue(option: GridOption, steps = 200): GridValue {
  const coarse = onGrid(option, steps);
  const fine = onGrid(option, 2 * steps);
  const extrapolated = (name: keyof GridValue) => fine[name] + (fine[name] - coarse[name]) / 3;
  return { price: extrapolated("price"), delta: extrapolated("delta"), gamma: extrapolated("gamma") };
}

function onGrid(option: GridOption, steps: number): GridValue {
  const { isCall, spot, strike, time, rate, dividendYield, volatility, dividends = [] } = option;
  const variance = volatility * volatility;
  const drift = rate - dividendYield - variance / 2;
  const reach = 6 * volatility * Math.sqrt(time) + Math.abs(drift) * time + Math.abs(Math.log(spot / strike));
  // the spot in the middle of the grid, ten nodes a time step in all
  const half = 4 * steps;
  const nodes = 2 * half + 1;
  const h = reach / half;
  const center = Math.log(spot);
  const payoff = Float64Array.from({ length: nodes }, (_, i) => {
    // the mean over a node's cell where the payoff has its kink, or the grid's order is lost to its place
    const left = Math.exp(center + (i - half - 0.5) * h);
    const right = Math.exp(center + (i - half + 0.5) * h);
    const s = Math.exp(center + (i - half) * h);
    if (left < strike && strike < right) {
      const x = Math.log(strike);
      const from = center + (i - half - 0.5) * h;
      const to = center + (i - half + 0.5) * h;
      return isCall ? (right - strike - strike * (to - x)) / h : (strike * (x - from) - (strike - left)) / h;
    }
    return isCall ? Math.max(s - strike, 0) : Math.max(strike - s, 0);
  });
  const floor = Float64Array.from({ length: nodes }, (_, i) => {
    const s = Math.exp(center + (i - half) * h);
    return isCall ? Math.max(s - strike, 0) : Math.max(strike - s, 0);
  });
  const below = variance / (2 * h * h) - drift / (2 * h);
  const above = variance / (2 * h * h) + drift / (2 * h);
  const own = -variance / (h * h) - rate;
  let values = payoff;
  const big = 1e12;
  const rhs = new Float64Array(nodes);
  const ratio = new Float64Array(nodes);
  const penalties = new Uint8Array(nodes);
  const step = (dt: number, implicit: number, elapsed: number) => {
    const before = values;
    const explicit = (1 - implicit) * dt;
    for (let i = 1; i < nodes - 1; i++) {
      rhs[i] = before[i]! + explicit * (below * before[i - 1]! + own * before[i]! + above * before[i + 1]!);
    }
    const edge = (i: number) => {
      const s = Math.exp(center + (i - half) * h);
      const sure = s * Math.exp(-dividendYield * elapsed) - strike * Math.exp(-rate * elapsed);
      return Math.max(floor[i]!, isCall ? sure : -sure, 0);
    };
    const after = Float64Array.from(before);
    for (let i = 0; i < nodes; i++) penalties[i] = after[i]! < floor[i]! ? 1 : 0;
    for (let pass = 0; pass < 100; pass++) {
      // Thomas' algorithm
      after[0] = edge(0);
      after[nodes - 1] = edge(nodes - 1);
      const a = -implicit * dt * below;
      const c = -implicit * dt * above;
      let carried = after[0]!;
      ratio[0] = 0;
      const solved = new Float64Array(nodes);
      solved[0] = carried;
      for (let i = 1; i < nodes - 1; i++) {
        const b = 1 - implicit * dt * own + (penalties[i] === 1 ? big : 0);
        const right = rhs[i]! + (penalties[i] === 1 ? big * floor[i]! : 0);
        const pivot = b - a * ratio[i - 1]!;
        ratio[i] = c / pivot;
        carried = (right - a * carried) / pivot;
        solved[i] = carried;
      }
      for (let i = nodes - 2; i > 0; i--) after[i] = solved[i]! - ratio[i]! * after[i + 1]!;
      let changed = false;
      for (let i = 1; i < nodes - 1; i++) {
        const isBelow =
          after[i]! < floor[i]! || (penalties[i] === 1 && isHeld(i, rhs, after, a, c, 1 - implicit * dt * own));
        if (isBelow !== (penalties[i] === 1)) {
          penalties[i] = isBelow ? 1 : 0;
          changed = true;
        }
      }
      if (!changed) break;
    }
    values = after;
  };
  const isHeld = (i: number, right: Float64Array, after: Float64Array, a: number, c: number, b: number) =>
    // exercise still pays: without the penalty the value would fall below the payoff
    (right[i]! - a * after[i - 1]! - c * after[i + 1]!) / b < floor[i]!;
  const advance = (length: number, count: number) => {
    const dt = length / count;
    for (let i = 0; i < 4; i++) {
      elapsed += dt / 2;
      step(dt / 2, 1, elapsed);
    }
    for (let i = 2; i < count; i++) {
      elapsed += dt;
      step(dt, 0.5, elapsed);
    }
  };
  let elapsed = 0;
  for (const [when, amount] of dividends.toReversed()) {
    const length = time - when - elapsed;
    advance(length, Math.max(4, Math.round((steps * length) / time)));
    const before = values;
    values = before.map((_, i) => {
      const s = Math.exp(center + (i - half) * h);
      const at = (Math.log(Math.max(s - amount, 1e-9 * s)) - center) / h + half;
      return Math.max(cubic(before, Math.max(at, 0)), floor[i]!);
    });
  }
  advance(time - elapsed, Math.max(4, Math.round((steps * (time - elapsed)) / time)));
  const price = values[half]!;
  const inLog = (values[half + 1]! - values[half - 1]!) / (2 * h);
  const inLogTwice = (values[half + 1]! - 2 * price + values[half - 1]!) / (h * h);
  return { price, delta: inLog / spot, gamma: (inLogTwice - inLog) / (spot * spot) };
}

/** The values' polynomial of third order through the four nearest, between nodes. */
function cubic(values: Float64Array, at: number): number {
  const first = Math.min(Math.max(Math.floor(at) - 1, 0), values.length - 4);
  const x = at - first;
  const [a, b, c, d] = [values[first]!, values[first + 1]!, values[first + 2]!, values[first + 3]!];
  const p = -((x - 1) * (x - 2) * (x - 3)) / 6;
  const q = (x * (x - 2) * (x - 3)) / 2;
  const r = -(x * (x - 1) * (x - 3)) / 2;
  return p * a + q * b + r * c + ((x * (x - 1) * (x - 2)) / 6) * d;
}
