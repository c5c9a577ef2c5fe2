# Makes src/engine/golden/implied-volatility-spot.json: exact implied volatilities of spot options, both sides of the money, with rates.
# Separate from the tests because it needs Python with mpmath; the tests read only its output, which is committed.
# Method: draw inputs as doubles and a volatility, price with Black-Scholes-Merton at 80 digits, round the price to a double, then
# solve at 80 digits for the volatility of exactly that double (bisection on the volatility, refined by Newton). Nothing is shared
# with the kernel but the model's definition. Run: python3 tests/golden/generate/implied_volatility.py > src/engine/golden/implied-volatility-spot.json
import json
import math
import random

import mpmath as mp

mp.mp.dps = 80
SEED = 20251001


def price_and_vega(case, volatility):
    s, k, t, r, q = (mp.mpf(case[name]) for name in ("spot", "strike", "time_to_expiry", "rate", "dividend_yield"))
    sign = 1 if case["is_call"] else -1
    a, b = s * mp.exp(-q * t), k * mp.exp(-r * t)
    deviation = volatility * mp.sqrt(t)
    d1 = mp.log(a / b) / deviation + deviation / 2
    d2 = d1 - deviation
    intrinsic = max(mp.mpf(0), sign * (a - b))
    # the out-of-the-money side, so that a tiny time value keeps its digits
    side = -1 if a >= b else 1
    time_value = side * (a * mp.ncdf(side * d1) - b * mp.ncdf(side * d2))
    vega = a * mp.npdf(d1) * mp.sqrt(t)
    return intrinsic, time_value, vega, min(a, b)


def solve(case):
    """The volatility of exactly case['price'], or None where the rounded price has none."""
    price = mp.mpf(case["price"])
    intrinsic, _, _, cap = price_and_vega(case, mp.mpf(1))
    target = price - intrinsic
    if target <= 0 or target >= cap:
        return None
    low, high = mp.mpf(10) ** -9, mp.mpf(10) ** 4
    for _ in range(90):
        middle = mp.sqrt(low * high)
        if price_and_vega(case, middle)[1] < target:
            low = middle
        else:
            high = middle
    volatility = mp.sqrt(low * high)
    for _ in range(6):
        _, time_value, vega, _ = price_and_vega(case, volatility)
        step = (target - time_value) / vega
        volatility += step
        if not (low / 2 < volatility < high * 2):
            return None
    _, time_value, vega, _ = price_and_vega(case, volatility)
    assert abs(step / volatility) < mp.mpf(10) ** -40, (case, step)
    return volatility, price / (vega * volatility)


def rows():
    chance = random.Random(SEED)

    def between(low, high):
        return chance.uniform(low, high)

    def log_between(low, high):
        return math.exp(chance.uniform(math.log(low), math.log(high)))

    regions = {
        # name: spot, time, rate, dividend yield, volatility, standard deviations from the money, share in the money
        "market": lambda: (100.0, log_between(0.01, 3), between(0, 0.06), between(0, 0.04), between(0.08, 0.8), between(-3, 3)),
        "index": lambda: (6688.46, log_between(0.003, 2), 0.0412, 0.0125, between(0.08, 0.4), between(-4, 3)),
        "near_money_carry": lambda: (100.0, between(0.2, 5), between(0.02, 0.12), between(-0.02, 0.02), log_between(1e-7, 0.02), between(-1, 1)),
        "no_rates_itm": lambda: (100.0, log_between(0.01, 2), 0.0, 0.0, log_between(0.02, 1), between(-4, 4)),
        "negative_rates": lambda: (31.25, between(0.1, 10), between(-0.03, 0), between(-0.01, 0.05), between(0.05, 0.6), between(-2, 2)),
        "high_volatility": lambda: (2.5e4, between(0.1, 2), between(0, 0.1), 0.0, between(2, 8), between(-1, 1)),
        "deep_itm": lambda: (100.0, between(0.1, 1), between(0, 0.06), between(0, 0.03), between(0.1, 0.4), between(3, 6)),
        "wings": lambda: (1.0, between(0.05, 1), between(0, 0.05), 0.0, between(0.2, 1.5), between(6, 20)),
        "far_apart": lambda: (log_between(1e-9, 1e9), between(0.1, 5), between(-0.1, 0.2), between(-0.1, 0.2), between(1, 12), between(-4, 12)),
        "near_cap": lambda: (100.0, between(0.1, 5), between(0, 0.08), between(0, 0.05), between(0.5, 2), between(-2, 2)),
        "near_intrinsic": lambda: (100.0, between(0.1, 5), between(0, 0.08), between(0, 0.05), between(0.05, 0.5), between(-2, 2)),
        "subnormal_price": lambda: (chance.choice([100.0, 1e50]), between(0.1, 5), between(0, 0.08), between(0, 0.05), log_between(1e-4, 0.5), between(1, 20)),
        "large_rates": lambda: (100.0, between(5, 30), between(0.5, 4), between(0.5, 4), between(0.05, 0.6), between(-2, 2)),
        "no_rates_near_intrinsic": lambda: (101.37, between(0.1, 5), 0.0, 0.0, between(0.3, 0.9), between(2, 5)),
        "edge_of_domain": lambda: (1e57, 1.0, between(140, 150), between(-150, -130), (volatility := between(13, 30)), between(500, 530) / volatility),
    }
    for region, make in regions.items():
        count = 0
        while count < (75 if region == "near_money_carry" else 25):
            spot, time, rate, dividend, volatility, deviations = make()
            forward = spot * math.exp((rate - dividend) * time)
            strike = forward * math.exp(-deviations * volatility * math.sqrt(time))
            strike = float(f"{strike:.{14 if region == 'near_money_carry' else 6}g}")
            if not 1e-60 < strike < 1e60:
                continue
            is_call = {"deep_itm": True, "wings": False, "subnormal_price": spot < strike, "no_rates_itm": spot > strike}.get(region, chance.random() < 0.5)
            case = {
                "region": region,
                "is_call": is_call,
                "spot": spot,
                "strike": strike,
                "time_to_expiry": round(time, 6),
                "rate": round(rate, 4),
                "dividend_yield": round(dividend, 4),
            }
            intrinsic, time_value, _, _ = price_and_vega(case, mp.mpf(volatility))
            case["price"] = float(intrinsic + time_value)
            cap = price_and_vega(case, mp.mpf(volatility))[3]
            if region == "near_cap":
                case["price"] = float(intrinsic + cap * (1 - mp.mpf(10) ** -between(1, 14)))
            if region in ("near_intrinsic", "no_rates_near_intrinsic"):
                case["price"] = float(intrinsic + cap * mp.mpf(10) ** -between(4, 17))
            if region == "subnormal_price":
                case["price"] = float(mp.mpf(10) ** -between(300, 323))
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
        "about": "Exact implied volatilities of spot options for prices given as doubles; condition = price/(vega·volatility).",
        "source": "computed at 80 digits by tests/golden/generate/implied_volatility.py",
        "columns": columns,
        "rows": "ROWS",
    }, indent=1, ensure_ascii=False).replace('"ROWS"', "[\n" + ",\n".join("  " + json.dumps([case[c] for c in columns]) for case in table) + "\n ]"))
