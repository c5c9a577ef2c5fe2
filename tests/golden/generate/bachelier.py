# Makes src/engine/golden/bachelier.json: prices and Greeks of the normal model. Separate from the tests because it needs Python with mpmath;
# the tests read only its output, which is committed. The price is Bachelier's closed form at 100 digits; every Greek is a numerical
# derivative of it, so that no formula for a Greek is shared with the kernel. Run: python3 tests/golden/generate/bachelier.py > src/engine/golden/bachelier.json
import json
import math
import random

import mpmath as mp

mp.mp.dps = 100
SEED = 20261121
INPUTS = ("forward", "strike", "time_to_expiry", "rate", "volatility")
# how often to differentiate by forward, strike, time, rate, volatility; and the sign of the contract
GREEKS = {
    "price": ((0, 0, 0, 0, 0), 1),
    "delta": ((1, 0, 0, 0, 0), 1),
    "gamma": ((2, 0, 0, 0, 0), 1),
    "vega": ((0, 0, 0, 0, 1), 1),
    "theta": ((0, 0, 1, 0, 0), -1),
    "rho": ((0, 0, 0, 1, 0), 1),
    "vanna": ((1, 0, 0, 0, 1), 1),
    "volga": ((0, 0, 0, 0, 2), 1),
    "charm": ((1, 0, 1, 0, 0), -1),
    "veta": ((0, 0, 1, 0, 1), -1),
    "speed": ((3, 0, 0, 0, 0), 1),
    "zomma": ((2, 0, 0, 0, 1), 1),
    "color": ((2, 0, 1, 0, 0), -1),
    "ultima": ((0, 0, 0, 0, 3), 1),
    "dual_delta": ((0, 1, 0, 0, 0), 1),
    "dual_gamma": ((0, 2, 0, 0, 0), 1),
}


def pricer(is_call):
    sign = 1 if is_call else -1

    def price(forward, strike, time, rate, volatility):
        s = volatility * mp.sqrt(time)
        d = (forward - strike) / s
        # the out-of-the-money side first, so that a tiny time value keeps its digits
        h = abs(d)
        value = s * (mp.npdf(h) - h * mp.erfc(h / mp.sqrt(2)) / 2)
        if sign * d > 0:
            value += abs(forward - strike)
        return mp.exp(-rate * time) * value

    return price


def greeks(case):
    price = pricer(case["is_call"])
    at = tuple(mp.mpf(case[name]) for name in INPUTS)
    # in units of each variable's own scale, so that one step suits all; forward and strike by the deviation
    deviation = at[4] * mp.sqrt(at[2])
    scales = (deviation, deviation, at[2], 1 / at[2], at[4])

    def scaled(*moves):
        return price(*(value + move * scale for value, move, scale in zip(at, moves, scales)))

    found = {}
    for name, (orders, sign) in GREEKS.items():
        value = mp.diff(scaled, (mp.mpf(0),) * 5, orders) if any(orders) else scaled(*(mp.mpf(0),) * 5)
        for order, scale in zip(orders, scales):
            value /= scale**order
        found[name] = sign * value
    found["lambda"] = at[0] * found["delta"] / found["price"]
    return found


def rows():
    chance = random.Random(SEED)
    between = chance.uniform

    def log_between(low, high):
        return math.exp(between(math.log(low), math.log(high)))

    def sides(size):
        return size * chance.choice([-1, 1])

    # forward, time, rate, volatility, deviations of the strike from the forward
    regions = {
        "rates": lambda: (between(-0.01, 0.06), log_between(0.02, 30), between(-0.01, 0.06), between(0.002, 0.015), between(-3, 3)),
        "commodity": lambda: (between(-40, 120), log_between(0.01, 3), between(0, 0.06), between(2, 60), between(-3, 3)),
        "index": lambda: (between(2000, 7000), log_between(0.003, 2), between(0, 0.06), between(300, 2500), between(-4, 4)),
        "short_dated": lambda: (between(80, 120), log_between(1e-6, 0.01), between(0, 0.06), between(5, 40), between(-4, 4)),
        "wings": lambda: (between(-100, 100), between(0.05, 2), between(0, 0.05), between(5, 40), sides(between(4, 9))),
        "long": lambda: (between(-200, 200), between(10, 60), between(-0.03, 0.12), between(1, 80), between(-3, 3)),
        "large_rates": lambda: (between(-100, 100), between(5, 30), between(-8, 8), between(1, 40), between(-3, 3)),
        "at_the_money": lambda: (between(-100, 100), log_between(0.001, 5), between(-0.01, 0.06), between(1, 40), 0),
        "near_money": lambda: (between(-100, 100), between(0.05, 5), between(0, 0.06), between(5, 40), sides(log_between(1e-12, 1e-2))),
        "near_roots": lambda: (between(-100, 100), between(0.05, 5), between(0, 0.06), between(5, 40), sides(chance.choice([1, math.sqrt(3)]) * (1 + sides(log_between(1e-9, 1e-2))))),
    }
    for region, make in regions.items():
        for _ in range(60):
            forward, time, rate, volatility, deviations = make()
            forward, time, rate, volatility = (float(f"{each:.6g}") for each in (forward, time, rate, volatility))
            strike = forward + deviations * volatility * math.sqrt(time)
            if region not in ("at_the_money", "near_money", "near_roots"):
                strike = float(f"{strike:.6g}")
            case = {
                "is_call": int(chance.random() < 0.5),
                "forward": forward,
                "strike": strike,
                "time_to_expiry": time,
                "rate": rate,
                "volatility": volatility,
            }
            yield {**case, **{name: float(value) for name, value in greeks(case).items()}}


if __name__ == "__main__":
    table = list(rows())
    columns = list(table[0])
    print(json.dumps({
        "about": "Bachelier prices and Greeks of 600 options in ten regions of 60 (rates, commodity, index, short_dated, wings, long, large_rates, at_the_money, near_money, near_roots), raw units.",
        "source": "price at 100 digits, every Greek a numerical derivative of it, by tests/golden/generate/bachelier.py",
        "columns": columns,
        "rows": "ROWS",
    }, indent=1, ensure_ascii=False).replace('"ROWS"', "[\n" + ",\n".join("  " + json.dumps([case[c] for c in columns]) for case in table) + "\n ]"))
