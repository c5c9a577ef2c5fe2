# Makes src/engine/golden/<model>.json for digital, barrier, lookback and Asian options: prices at 60 digits by formulas written another way than the
# kernel's (one barrier: a price less its mirror image as a whole; two: eigenfunctions; extremes: the papers' own forms), every Greek a
# numerical derivative of them. Separate from the tests because it needs Python with mpmath. Run: python3 tests/golden/generate/exotic.py src/engine/golden [model …]
import json
import random
import sys

import mpmath as mp

mp.mp.dps = 60
SEED = 20261122
MARKET = ("spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility")
# how often to differentiate by each of these, and the sign of the contract
GREEKS = {
    "price": ((0, 0, 0, 0, 0, 0), 1),
    "delta": ((1, 0, 0, 0, 0, 0), 1),
    "gamma": ((2, 0, 0, 0, 0, 0), 1),
    "vega": ((0, 0, 0, 0, 0, 1), 1),
    "theta": ((0, 0, 1, 0, 0, 0), -1),
    "rho": ((0, 0, 0, 1, 0, 0), 1),
    "dividend_rho": ((0, 0, 0, 0, 1, 0), 1),
    "vanna": ((1, 0, 0, 0, 0, 1), 1),
    "volga": ((0, 0, 0, 0, 0, 2), 1),
    "charm": ((1, 0, 1, 0, 0, 0), -1),
    "veta": ((0, 0, 1, 0, 0, 1), -1),
    "speed": ((3, 0, 0, 0, 0, 0), 1),
    "zomma": ((2, 0, 0, 0, 0, 1), 1),
    "color": ((2, 0, 1, 0, 0, 0), -1),
    "ultima": ((0, 0, 0, 0, 0, 3), 1),
    "dual_delta": ((0, 1, 0, 0, 0, 0), 1),
    "dual_gamma": ((0, 2, 0, 0, 0, 0), 1),
}
BARRIERS = ["none", "down_in", "down_out", "up_in", "up_out", "double_in", "double_out"]
PAYOFFS = [
    "cash", "asset", "gap", "one_touch", "one_touch_at_expiry", "no_touch", "asset_touch", "asset_touch_at_expiry", "asset_no_touch",
]


def law(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def corridor(assets, cash, low, high):
    """Price of (assets S_T + cash) where low < S_T < high; None is without an end. A function of the spot and the market."""

    def price(s, t, r, q, v):
        d = v * mp.sqrt(t)

        def chance(extra):
            def upto(level, otherwise):
                return otherwise if level is None else law((mp.log(level / s) - (r - q - v * v / 2 + extra) * t) / d)

            return upto(high, mp.mpf(1)) - upto(low, mp.mpf(0))

        return assets * s * mp.exp(-q * t) * chance(v * v) + cash * mp.exp(-r * t) * chance(0)

    return price


def mirrored(price, barrier):
    """What is left of a claim that is worth nothing once the barrier is hit: the claim less its image (method of images)."""

    def living(s, t, r, q, v):
        power = 2 * (r - q) / (v * v) - 1
        return price(s, t, r, q, v) - (barrier / s) ** power * price(barrier * barrier / s, t, r, q, v)

    return living


def between_two(assets, cash, low, high, lower, upper):
    """The same claim between two barriers, by eigenfunctions."""

    def price(s, t, r, q, v):
        w = mp.log(upper / lower)
        x = mp.log(s / lower)
        nu = r - q - v * v / 2
        c = nu / (v * v)
        a, b = mp.log(low / lower), mp.log(high / lower)

        def part(power, g):
            def at(y):
                return mp.exp((c + power) * y) * ((c + power) * mp.sin(g * y) - g * mp.cos(g * y))

            return (at(b) - at(a)) / ((c + power) ** 2 + g * g)

        total = mp.mpf(0)
        k = 1
        while True:
            g = k * mp.pi / w
            decay = g * g * v * v * t / 2
            if decay > 160:
                break
            total += mp.exp(-decay) * mp.sin(g * x) * (assets * lower * part(1, g) + cash * part(0, g))
            k += 1
        return mp.exp(-r * t - c * x - nu * nu * t / (2 * v * v)) * 2 / w * total

    return price


def hit(barrier):
    """1 at the first hit; the root may be imaginary, the sum is real."""

    def price(s, t, r, q, v):
        h = mp.log(barrier / s)
        sign = 1 if h < 0 else -1
        nu = r - q - v * v / 2
        root = mp.sqrt(mp.mpc(nu * nu + 2 * r * v * v))
        d = v * mp.sqrt(t)
        one = mp.exp((nu + root) * h / (v * v)) * law(sign * (h + root * t) / d)
        two = mp.exp((nu - root) * h / (v * v)) * law(sign * (h - root * t) / d)
        return mp.re(one + two)

    return price


def ends(is_call, strike, lower, upper):
    """Where a payoff beyond the strike is alive."""
    low = strike if is_call else None
    high = None if is_call else strike
    if lower is not None:
        low = lower if low is None else max(low, lower)
    if upper is not None:
        high = upper if high is None else min(high, upper)
    return low, high


def knocked(kind, is_call, assets, cash, strike, barrier, upper_barrier):
    """A payment beyond the strike under a barrier of that kind."""
    plain = corridor(assets, cash, *ends(is_call, strike, None, None))
    if kind == "none":
        return plain
    lower = barrier if kind.startswith("d") else None
    upper = upper_barrier if kind.startswith("double") else barrier if kind.startswith("up") else None
    low, high = ends(is_call, strike, lower, upper)
    if low is not None and high is not None and low >= high:
        living = lambda s, t, r, q, v: mp.mpf(0)
    elif kind.startswith("double"):
        living = between_two(assets, cash, low, high, lower, upper)
    else:
        living = mirrored(corridor(assets, cash, low, high), barrier)
    if kind.endswith("out"):
        return living
    return lambda *market: plain(*market) - living(*market)


def barrier_price(row):
    def price(s, k, t, r, q, v):
        sign = 1 if row["is_call"] else -1
        kind = BARRIERS[row["barrier_type"]]
        barrier, upper = mp.mpf(row["barrier"]), mp.mpf(row["upper_barrier"])
        value = knocked(kind, row["is_call"], sign, -sign * k, k, barrier, upper)(s, t, r, q, v)
        rebate = mp.mpf(row["rebate"])
        if rebate == 0:
            return value
        if kind.endswith("out"):
            return value + rebate * hit(barrier)(s, t, r, q, v)
        never = between_two(0, 1, barrier, upper, barrier, upper) if kind.startswith("double") else mirrored(
            corridor(0, 1, *((barrier, None) if kind.startswith("down") else (None, barrier))), barrier
        )
        return value + rebate * never(s, t, r, q, v)

    return price


def digital_price(row):
    def price(s, k, t, r, q, v):
        sign = 1 if row["is_call"] else -1
        kind = BARRIERS[row["barrier_type"]]
        payoff = PAYOFFS[row["payoff"]]
        cash = mp.mpf(row["cash"])
        market = (s, t, r, q, v)
        if "touch" not in payoff:
            assets = {"cash": 0, "asset": 1, "gap": sign}[payoff]
            paid = {"cash": cash, "asset": 0, "gap": -sign * mp.mpf(row["gap_strike"])}[payoff]
            return knocked(kind, row["is_call"], assets, paid, k, mp.mpf(row["barrier"]), mp.mpf(row["upper_barrier"]))(*market)
        assets, paid = (1, 0) if payoff.startswith("asset") else (0, cash)
        if payoff.endswith("one_touch"):
            return cash * hit(k)(*market)
        if payoff == "asset_touch":
            return k * hit(k)(*market)
        never = mirrored(corridor(assets, paid, *((None, k) if row["is_call"] else (k, None))), k)(*market)
        return never if payoff.endswith("no_touch") else corridor(assets, paid, None, None)(*market) - never

    return price


def lookback_price(row):
    """Conze and Viswanathan's forms; the floating ones of Goldman, Sosin and Gatto."""

    def price(s, k, t, r, q, v):
        b = r - q
        d = v * mp.sqrt(t)
        seen = mp.mpf(row["extreme_so_far"])
        is_fixed = row["strike_type"] == 0
        is_maximum = is_fixed == bool(row["is_call"])
        e = 1 if is_maximum else -1
        level = max(seen, k) if is_maximum and is_fixed else min(seen, k) if is_fixed else seen
        d1 = (mp.log(s / level) + (b + v * v / 2) * t) / d
        tail = s * mp.exp(-r * t) * v * v / (2 * b) * (
            -((s / level) ** (-2 * b / (v * v))) * law(e * (d1 - 2 * b * mp.sqrt(t) / v)) + mp.exp(b * t) * law(e * d1)
        )
        vanilla = e * (s * mp.exp(-q * t) * law(e * d1) - level * mp.exp(-r * t) * law(e * (d1 - d)))
        gain = vanilla + e * tail
        if is_fixed:
            return mp.exp(-r * t) * max(e * (seen - k), mp.mpf(0)) + gain
        return gain + e * (level * mp.exp(-r * t) - s * mp.exp(-q * t))

    return price


def exchanged(sign, x, y, w2):
    w = mp.sqrt(w2)
    d = mp.log(x / y) / w + w / 2
    return sign * (x * law(sign * d) - y * law(sign * (d - w)))


def asian_price(row):
    """Moments over all pairs of fixings, or the continuous average's in closed form; every date moves with expiry."""
    expiry = mp.mpf(row["time_to_expiry"])

    def price(s, k, t, r, q, v):
        sign = 1 if row["is_call"] else -1
        is_geometric = row["average"] == 1
        b = r - q
        late = t - expiry
        forward = s * mp.exp(b * t)
        n = row["fixing_count"]
        if n > 0:
            times = [expiry * i / n + late for i in range(1, n + 1)]
            middle = sum(times) / n
            least = sum(min(one, other) for one in times for other in times) / n**2
            mean = sum(s * mp.exp(b * one) for one in times) / n
            square = sum(s * s * mp.exp(b * (one + other) + v * v * min(one, other)) for one in times for other in times) / n**2
            product = sum(s * forward * mp.exp((b + v * v) * one) for one in times) / n
        else:
            begin = mp.mpf(row["averaging_start"]) + late
            length = t - begin
            middle = (begin + t) / 2
            least = begin + length / 3
            e = lambda c: (mp.exp(c * t) - mp.exp(c * begin)) / c
            mean = s * e(b) / length
            square = 2 * s * s * (mp.exp(b * t) * e(b + v * v) - e(2 * b + v * v)) / b / length**2
            product = s * forward * e(b + v * v) / length
        if is_geometric:
            w2 = v * v * least
            mean = s * mp.exp((b - v * v / 2) * middle + w2 / 2)
            shared = v * v * middle
        else:
            w2 = mp.log(square / mean**2)
            shared = mp.log(product / mean / forward)
        if row["strike_type"] == 1:
            return mp.exp(-r * t) * exchanged(sign, forward, mean, v * v * t + w2 - 2 * shared)
        return mp.exp(-r * t) * exchanged(sign, mean, k, w2)

    return price


def greeks(price, row):
    at = [mp.mpf(row[name]) for name in MARKET]
    s, k, t, r, q, v = at
    deviation = v * mp.sqrt(t)
    scales = (s * deviation / 8, k * deviation / 8, t / 8, 1 / (8 * t), 1 / (8 * t), v / 8)
    found = {}
    for name, (orders, sign) in GREEKS.items():
        if not any(orders):
            found[name] = price(*at)
            continue
        used = [i for i, order in enumerate(orders) if order]

        def moved(*moves):
            point = list(at)
            for i, move in zip(used, moves):
                point[i] = at[i] + move * scales[i]
            return price(*point)

        raw = mp.diff(moved, tuple(mp.mpf(0) for _ in used), tuple(orders[i] for i in used), h=mp.mpf(10) ** -14)
        for i in used:
            raw /= scales[i] ** orders[i]
        found[name] = sign * raw
    return found


def market_of(source):
    v = round(source.uniform(0.08, 0.6), 3)
    t = round(source.uniform(0.05, 2), 3)
    s = round(source.uniform(80, 120), 2)
    return {
        "is_call": source.randrange(2),
        "spot": s,
        "strike": round(s * float(mp.exp(source.uniform(-1, 1) * v * t**0.5)), 2),
        "time_to_expiry": t,
        "rate": round(source.uniform(-0.03, 0.1), 4),
        "dividend_yield": round(source.uniform(-0.02, 0.08), 4),
        "volatility": v,
    }


def off(source, row, side):
    reach = row["volatility"] * row["time_to_expiry"] ** 0.5 * source.uniform(0.1, 1.5)
    return round(row["spot"] * float(mp.exp(side * reach)), 2)


def barriers_of(source, row, kind):
    name = BARRIERS[kind]
    return {
        "barrier_type": kind,
        "barrier": 0 if name == "none" else off(source, row, 1 if name.startswith("up") else -1),
        "upper_barrier": off(source, row, 1) if name.startswith("double") else 0,
    }


def cases(model, source):
    if model == "barrier":
        for index in range(60):
            row = market_of(source)
            row.update(barriers_of(source, row, 1 + index % 6))
            # a rebate at the hit of two barriers is left to the tests
            row["rebate"] = 0 if index % 6 == 5 or index % 12 < 6 else round(source.uniform(1, 10), 2)
            yield row
    elif model == "digital":
        for index in range(63):
            row = market_of(source)
            payoff = index % 9
            is_touch = "touch" in PAYOFFS[payoff]
            row.update(barriers_of(source, row, 0 if is_touch else (index // 9) % 7))
            if is_touch:
                row["strike"] = off(source, row, 1 if row["is_call"] else -1)
            row.update(payoff=payoff, cash=round(source.uniform(1, 20), 2), gap_strike=round(row["strike"] * source.uniform(0.8, 1.2), 2))
            yield row
    elif model == "asian":
        for index in range(40):
            row = market_of(source)
            row["average"] = index % 2
            row["strike_type"] = 1 if index % 8 >= 6 else 0
            row["fixing_count"] = source.randrange(2, 13) if index % 4 < 2 else 0
            row["averaging_start"] = 0 if index % 4 < 2 else round(row["time_to_expiry"] * source.uniform(0.1, 0.8), 3)
            yield row
    else:
        for index in range(40):
            row = market_of(source)
            row["strike_type"] = index % 2
            side = 1 if (index % 2 == 0) == bool(row["is_call"]) else -1
            row["extreme_so_far"] = off(source, row, side)
            yield row


def main(folder):
    wanted = sys.argv[2:]
    makers = {"digital": digital_price, "barrier": barrier_price, "lookback": lookback_price, "asian": asian_price}
    for model, maker in makers.items():
        if wanted and model not in wanted:
            continue
        rows = list(cases(model, random.Random(SEED)))
        inputs = list(rows[0])
        lines = []
        for row in rows:
            values = greeks(maker(row), row)
            # a price's own rounding
            cells = [repr(row[name]) for name in inputs] + [mp.nstr(values[name], 17, min_fixed=-4, max_fixed=6) for name in GREEKS]
            lines.append("    [" + ", ".join(cells) + "]")
        about = f"{len(rows)} {model} options, every Greek, raw units; words are places in the catalog's lists."
        source = "prices at 60 digits, every Greek a numerical derivative of them, by tests/golden/generate/exotic.py"
        with open(f"{folder}/{model}.json", "w", encoding="utf-8") as out:
            out.write("{\n")
            out.write(f'  "about": {json.dumps(about)},\n  "source": {json.dumps(source)},\n')
            out.write(f'  "columns": {json.dumps(inputs + list(GREEKS))},\n  "rows": [\n')
            out.write(",\n".join(lines) + "\n  ]\n}\n")


main(sys.argv[1])
