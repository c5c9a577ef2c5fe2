# Makes src/engine/golden/implied-volatility-family.json: exact implied volatilities of the models that are mapped onto Black–Scholes–Merton's
# problem (black_76, garman_kohlhagen, displaced_black), and of deviations σ√T from 1e-5 to 50. Separate from the tests because it needs
# Python with mpmath; the tests read only its output, which is committed. Method: implied_volatility.py's, with the mapping made exactly
# at 80 digits: a sum with a displacement is not rounded. Run: python3 tests/golden/generate/implied_volatility_family.py > src/engine/golden/implied-volatility-family.json
import json
import math
import random

import mpmath as mp

mp.mp.dps = 80
SEED = 20261123
COLUMNS = ["region", "model", "is_call", "underlying", "strike", "time_to_expiry", "rate", "other_rate", "displacement", "price", "implied_volatility", "condition"]


def legs(case):
    """What the two legs are worth now, exactly."""
    u, k, t, r, q, d = (mp.mpf(case[n]) for n in ("underlying", "strike", "time_to_expiry", "rate", "other_rate", "displacement"))
    yield_rate = q if case["model"] == "garman_kohlhagen" else r
    return (u + d) * mp.exp(-yield_rate * t), (k + d) * mp.exp(-r * t)


def time_value(case, s):
    a, b = legs(case)
    d1 = mp.log(a / b) / s + s / 2
    side = -1 if a >= b else 1
    return side * (a * mp.ncdf(side * d1) - b * mp.ncdf(side * (d1 - s))), a * mp.npdf(d1)


def solve(case):
    a, b = legs(case)
    price = mp.mpf(case["price"])
    target = price - max(mp.mpf(0), (a - b) if case["is_call"] else (b - a))
    if target <= 0 or target >= min(a, b):
        return None
    low, high = mp.mpf(10) ** -9, mp.mpf(200)
    for _ in range(90):
        middle = mp.sqrt(low * high)
        if time_value(case, middle)[0] < target:
            low = middle
        else:
            high = middle
    s = mp.sqrt(low * high)
    for _ in range(6):
        value, slope = time_value(case, s)
        step = (target - value) / slope
        s += step
        if not (low / 2 < s < high * 2):
            return None
    assert abs(step / s) < mp.mpf(10) ** -40, (case, step)
    return s / mp.sqrt(mp.mpf(case["time_to_expiry"])), price / (time_value(case, s)[1] * s)


def rows():
    chance = random.Random(SEED)
    between = chance.uniform

    def log_between(low, high):
        return math.exp(between(math.log(low), math.log(high)))

    # model, underlying, time, rate, other rate, displacement, s, deviations from the money
    def futures():
        s = log_between(0.01, 1.5)
        return "black_76", between(0.5, 7000), log_between(0.003, 5), between(-0.02, 0.08), 0.0, 0.0, s, between(-3, 3)

    def currency():
        s = log_between(0.005, 0.6)
        return "garman_kohlhagen", log_between(0.5, 200), log_between(0.003, 5), between(-0.01, 0.15), between(-0.01, 0.15), 0.0, s, between(-3, 3)

    def shifted_rates():
        s = log_between(0.01, 1.5)
        return "displaced_black", between(-0.01, 0.05), log_between(0.02, 20), between(-0.01, 0.05), 0.0, chance.choice([0.02, 0.03, 0.0123]), s, between(-2, 2)

    def shifted_near_money():
        s = log_between(1e-5, 0.02)
        return "displaced_black", between(-0.01, 0.05), log_between(0.02, 20), chance.choice([0.0, between(-0.01, 0.05)]), 0.0, between(0.015, 3), s, between(-2, 2)

    def shifted_far():
        s = log_between(0.01, 1)
        return "displaced_black", between(-50, 100), log_between(0.02, 5), chance.choice([0.0, between(0, 0.05)]), 0.0, log_between(60, 1e6), s, between(-3, 3)

    def small_deviation():
        s = log_between(1e-5, 1e-2)
        return chance.choice(["black_76", "garman_kohlhagen"]), 100.0, log_between(0.01, 5), between(-0.02, 0.08), between(-0.02, 0.08), 0.0, s, between(-2, 2)

    def large_deviation():
        # the distance to the cap must show in a double: t - h <= 7
        s = log_between(3, 20)
        deviations = between(max(s / 2 - 7, 0), s / 2 + 6) * chance.choice([-1, 1])
        model = chance.choice(["black_76", "garman_kohlhagen"])
        return model, 1.0, between(0.5, 30), between(-0.02, 0.08), between(-0.02, 0.08), 0.0, s, deviations

    def largest_deviation():
        # past that it takes strikes up to e^690 forwards away, most of it carry; at s = 50 it would take e^900
        s = log_between(20, 46)
        deviations = between(s / 2 - 7, min(s / 2 + 6, 690 / s))
        carry = -max(0.0, deviations * s - between(150, 220)) / 30
        return "garman_kohlhagen", 1e-50, 30.0, carry / 2, -carry / 2, 0.0, s, -deviations

    def small_in_the_money():
        s = log_between(1e-5, 1e-2)
        return "black_76", 100.0, log_between(0.01, 5), chance.choice([0.0, between(-0.02, 0.08)]), 0.0, 0.0, s, between(0, 3)

    for make in (futures, currency, shifted_rates, shifted_near_money, shifted_far, small_deviation, large_deviation, largest_deviation, small_in_the_money):
        count = 0
        tries = 0
        while count < 40:
            tries += 1
            if tries > 4000:
                raise SystemExit(f"{make.__name__} gives too few rows")
            model, underlying, time, rate, other, displacement, s, deviations = make()
            underlying, time, rate, other = float(f"{underlying:.6g}"), float(f"{time:.6g}"), round(rate, 4), round(other, 4)
            displacement = float(f"{displacement:.5g}")
            if model != "garman_kohlhagen":
                other = 0.0
            forward = underlying + displacement
            if model == "garman_kohlhagen":
                forward *= math.exp((rate - other) * time)
            if forward <= 0 or abs(deviations * s) > 690:
                continue
            strike = forward * math.exp(-deviations * s) - displacement
            strike = float(f"{strike:.{14 if s < 0.05 else 7}g}")
            is_call = chance.random() < 0.5 if make is not small_in_the_money else deviations > 0
            case = {
                "region": make.__name__,
                "model": model,
                "is_call": is_call,
                "underlying": underlying,
                "strike": strike,
                "time_to_expiry": time,
                "rate": rate,
                "other_rate": other,
                "displacement": displacement,
            }
            if abs(rate * time) > 255 or not 1e-55 < strike + displacement < 1e55:
                continue
            a, b = legs(case)
            intrinsic = max(mp.mpf(0), (a - b) if is_call else (b - a))
            case["price"] = float(intrinsic + time_value(case, mp.mpf(s))[0])
            if not 1e-300 < case["price"] < 1e300:
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
    print(json.dumps({
        "about": "Exact implied volatilities of black_76, garman_kohlhagen and displaced_black for prices given as doubles; other_rate is the foreign rate; condition = price/(vega·volatility).",
        "source": "computed at 80 digits by tests/golden/generate/implied_volatility_family.py",
        "columns": COLUMNS,
        "rows": "ROWS",
    }, indent=1, ensure_ascii=False).replace('"ROWS"', "[\n" + ",\n".join("  " + json.dumps([case[c] for c in COLUMNS]) for case in table) + "\n ]"))
