# Makes src/engine/golden/merton-jump.json and sabr.json: prices and Greeks of Merton's jump diffusion and of SABR by Hagan's volatility, at 50 digits.
# Separate from the tests because it needs Python with mpmath; the tests and `bsopt verify` read only its output, which is committed. A jump diffusion's price is
# Merton's series with more terms than any weight is left for; SABR's is Black's with the published formula. Every Greek is a numerical derivative of the
# price, so that no formula for a Greek is shared with the kernel.
# Run: python3 tests/golden/generate/jump_and_sabr.py merton > src/engine/golden/merton-jump.json (and sabr > sabr.json)
import json
import math
import random
import sys

import mpmath as mp

mp.mp.dps = 50


def black(sign, forward, strike, deviation):
    d1 = mp.log(forward / strike) / deviation + deviation / 2
    law = lambda x: mp.erfc(-x / mp.sqrt(2)) / 2
    return sign * (forward * law(sign * d1) - strike * law(sign * (d1 - deviation)))


def merton(sign):
    def price(spot, strike, t, rate, dividend_yield, volatility, intensity, mean, deviation):
        g = mean + deviation**2 / 2
        forward = spot * mp.exp((rate - dividend_yield) * t - intensity * (mp.exp(g) - 1) * t)
        weight = mp.exp(-intensity * t)
        total = mp.mpf(0)
        for n in range(2000):
            total += weight * black(sign, forward * mp.exp(n * g), strike, mp.sqrt(volatility**2 * t + n * deviation**2))
            weight *= intensity * t / (n + 1)
            if n > 2 * intensity * t * max(1, mp.exp(g)) and weight * mp.exp(max(n * g, 0)) < mp.mpf(10) ** -45:
                break
        return mp.exp(-rate * t) * total

    return price


def sabr(sign):
    def price(forward, strike, t, rate, alpha, beta, nu, rho):
        y = mp.log(forward / strike)
        gap = 1 - beta
        fk = (forward * strike) ** (gap / 2)
        z = nu / alpha * fk * y
        chi = mp.log((mp.sqrt(1 - 2 * rho * z + z * z) + z - rho) / (1 - rho))
        ratio = z / chi if z != 0 else mp.mpf(1)
        late = 1 + (gap**2 / 24 * alpha**2 / fk**2 + rho * beta * nu * alpha / (4 * fk) + (2 - 3 * rho**2) / 24 * nu**2) * t
        volatility = alpha / (fk * (1 + gap**2 / 24 * y**2 + gap**4 / 1920 * y**4)) * ratio * late
        return mp.exp(-rate * t) * black(sign, forward, strike, volatility * mp.sqrt(t))

    return price


NAMES = {
    "merton": ("spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility", "jump_intensity", "jump_mean", "jump_volatility"),
    "sabr": ("forward", "strike", "time_to_expiry", "rate", "initial_volatility", "beta", "vol_of_vol", "correlation"),
}
# how often to differentiate by which inputs, and the sign of the contract
GREEKS = {
    "price": ({}, 1),
    "delta": ({0: 1}, 1),
    "gamma": ({0: 2}, 1),
    "theta": ({2: 1}, -1),
    "rho": ({3: 1}, 1),
    "charm": ({0: 1, 2: 1}, -1),
    "dual_delta": ({1: 1}, 1),
    "dual_gamma": ({1: 2}, 1),
}
VOLATILITY = {
    "dividend_rho": ({4: 1}, 1),
    "vega": ({5: 1}, 1),
    "vanna": ({0: 1, 5: 1}, 1),
    "volga": ({5: 2}, 1),
    "veta": ({2: 1, 5: 1}, -1),
    "speed": ({0: 3}, 1),
    "zomma": ({0: 2, 5: 1}, 1),
    "color": ({0: 2, 2: 1}, -1),
    "ultima": ({5: 3}, 1),
}


def row(model, source):
    between = source.uniform
    spread = lambda low, high: math.exp(between(math.log(low), math.log(high)))
    t = spread(0.01, 10)
    if model == "merton":
        volatility, deviation = spread(0.03, 0.8), spread(0.01, 0.5)
        intensity = spread(0.05, 20) / max(1, t / 2)
        scale = math.sqrt((volatility**2 + intensity * deviation**2) * t)
        strike = 100 * math.exp(between(-2.5, 2.5) * min(scale, 0.6))
        return [100, strike, t, between(-0.03, 0.1), between(-0.02, 0.06), volatility, intensity, between(-0.3, 0.2), deviation]
    beta, volatility = source.choice([0, 0.5, 0.7, 1, between(0, 1)]), spread(0.08, 0.6)
    forward = spread(0.01, 1000)
    nu = spread(0.05, 1.2) / max(1, math.sqrt(t))
    strike = forward * math.exp(between(-2, 2) * volatility * math.sqrt(t))
    return [forward, strike, t, between(-0.03, 0.1), volatility * forward ** (1 - beta), beta, nu, between(-0.9, 0.9)]


model = sys.argv[1]
source = random.Random(20261122)
pricer = merton if model == "merton" else sabr
greeks = {**GREEKS, **(VOLATILITY if model == "merton" else {})}
rows = []
for index in range(24 if model == "merton" else 40):
    values = [float(f"{value:.5g}") for value in row(model, source)]
    price = pricer(1 if index % 2 == 0 else -1)
    at = [mp.mpf(value) for value in values]
    found = []
    for orders, sign in greeks.values():
        if not orders:
            found.append(float(price(*at)))
            continue
        inputs = list(orders)

        def moved(*changed):
            other = list(at)
            for index_, value in zip(inputs, changed):
                other[index_] = value
            return price(*other)

        point = tuple(at[i] for i in inputs)
        order = tuple(orders[i] for i in inputs)
        found.append(float(sign * mp.diff(moved, point if len(point) > 1 else point[0], order if len(order) > 1 else order[0], h=mp.mpf(10) ** -9)))
    rows.append([1 - index % 2, *values, *found])
print('{\n  "source": "mpmath at 50 digits, Greeks by numerical derivatives; tests/golden/generate/jump_and_sabr.py",')
print('  "columns": ' + json.dumps(["is_call", *NAMES[model], *greeks]) + ",")
print('  "rows": [')
print(",\n".join("    " + json.dumps(row_) for row_ in rows))
print("  ]\n}")
