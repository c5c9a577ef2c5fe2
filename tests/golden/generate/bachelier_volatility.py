# Makes src/engine/golden/implied-volatility-bachelier.json: exact implied volatilities of the normal model, both sides of the money, with rates.
# Separate from the tests because it needs Python with mpmath; the tests read only its output, which is committed. Method: draw inputs as
# doubles, price at 80 digits, round the price to a double, then solve at 80 digits for the volatility of exactly that double
# (bisection, refined by Newton). Run: python3 tests/golden/generate/bachelier_volatility.py > src/engine/golden/implied-volatility-bachelier.json
import json
import math
import random

import mpmath as mp

mp.mp.dps = 80
SEED = 20261122


def time_value(x, s):
    h = x / s
    if h > 9:  # 1 - h R(h) loses h² of its digits: by more of them
        with mp.workdps(90 + int(2 * mp.log10(h))):
            return s * (mp.npdf(h) - h * mp.erfc(h / mp.sqrt(2)) / 2)
    return s * (mp.npdf(h) - h * mp.erfc(h / mp.sqrt(2)) / 2)


def exact(case):
    """x, growth e^(rt) and the undiscounted time value of exactly the case's price."""
    forward, strike, time, rate, price = (mp.mpf(case[n]) for n in ("forward", "strike", "time_to_expiry", "rate", "price"))
    side = 1 if case["is_call"] else -1
    growth = mp.exp(rate * time)
    return abs(forward - strike), growth, price * growth - max(mp.mpf(0), side * (forward - strike))


def solve(case):
    x, growth, target = exact(case)
    if target <= 0:
        return None
    if x == 0:
        s = target * mp.sqrt(2 * mp.pi)
    else:
        low, high = x / 60, max(x, target) * 10 + x
        for _ in range(120):
            middle = mp.sqrt(low * high)
            if time_value(x, middle) < target:
                low = middle
            else:
                high = middle
        s = mp.sqrt(low * high)
        for _ in range(8):
            step = (mp.log(target) - mp.log(time_value(x, s))) * time_value(x, s) / mp.npdf(x / s)
            s += step
        assert abs(step / s) < mp.mpf(10) ** -40, (case, step)
    time = mp.mpf(case["time_to_expiry"])
    return s / mp.sqrt(time), mp.mpf(case["price"]) * growth / (mp.npdf(x / s) * s)


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
        "no_rates": lambda: (between(-100, 100), log_between(0.01, 3), 0.0, between(2, 60), between(-4, 4)),
        "near_money": lambda: (between(-100, 100), log_between(1e-5, 5), between(-0.01, 0.06), log_between(0.01, 40), sides(log_between(1e-9, 0.1))),
        "at_the_money": lambda: (between(-100, 100), log_between(0.001, 5), between(-0.01, 0.06), between(1, 40), 0.0),
        "wings": lambda: (between(-100, 100), between(0.05, 2), between(0, 0.05), between(5, 40), between(4, 36)),
        "deep_itm": lambda: (between(-100, 100), between(0.1, 1), between(0, 0.06), between(5, 40), between(3, 7)),
        "near_intrinsic": lambda: (between(-100, 100), between(0.1, 5), between(0, 0.08), between(5, 40), between(0, 2)),
        "no_rates_near_intrinsic": lambda: (between(-100, 100), between(0.1, 5), 0.0, between(5, 40), between(0, 5)),
        "huge_volatility": lambda: (between(-100, 100), between(0.1, 5), between(0, 0.06), log_between(1e3, 1e12), between(-0.1, 0.1)),
        "large_rates": lambda: (between(-100, 100), between(5, 30), between(-8, 8), between(1, 40), between(-3, 3)),
        "subnormal_price": lambda: (between(-100, 100), between(0.1, 5), between(0, 0.06), between(1, 40), between(1, 20)),
        "edge_of_domain": lambda: (sides(log_between(1e50, 1e60)), log_between(1e-50, 1e50), 0.0, 1.0, between(-10, 30)),
    }
    for region, make in regions.items():
        count = 0
        while count < 40:
            forward, time, rate, volatility, deviations = make()
            forward, time, rate = float(f"{forward:.7g}"), float(f"{time:.6g}"), float(f"{rate:.5g}")
            if region == "edge_of_domain":
                volatility = abs(forward) * log_between(1e-3, 1) / math.sqrt(time) / 40
            is_call = chance.random() < 0.5
            strike = forward + deviations * volatility * math.sqrt(time) * (1 if is_call else -1)
            if region in ("deep_itm", "near_intrinsic", "no_rates_near_intrinsic"):
                strike = forward - abs(deviations) * volatility * math.sqrt(time) * (1 if is_call else -1)
            if region != "near_money":
                strike = float(f"{strike:.8g}")
            if region == "at_the_money":
                strike = forward
            case = {
                "region": region,
                "is_call": is_call,
                "forward": forward,
                "strike": strike,
                "time_to_expiry": time,
                "rate": rate,
                "price": 0.0,
            }
            x, growth, less = exact(case)
            s = mp.mpf(volatility) * mp.sqrt(mp.mpf(time))
            case["price"] = float((time_value(x, s) - less) / growth)
            if region in ("near_intrinsic", "no_rates_near_intrinsic"):
                case["price"] = float((s * mp.mpf(10) ** -between(3, 16) - less) / growth)
            if region == "subnormal_price" and -less == 0:
                case["price"] = float(mp.mpf(10) ** -between(300, 323))
            if not case["price"] > 0:
                continue
            found = solve(case)
            if found is None or found[1] > 1e12:
                continue
            case["implied_volatility"] = float(found[0])
            case["condition"] = float(found[1])
            count += 1
            yield case


if __name__ == "__main__":
    table = list(rows())
    columns = list(table[0])
    print(json.dumps({
        "about": "Exact implied volatilities of the normal model for prices given as doubles; condition = price/(vega·volatility).",
        "source": "computed at 80 digits by tests/golden/generate/bachelier_volatility.py",
        "columns": columns,
        "rows": "ROWS",
    }, indent=1, ensure_ascii=False).replace('"ROWS"', "[\n" + ",\n".join("  " + json.dumps([case[c] for c in columns]) for case in table) + "\n ]"))
