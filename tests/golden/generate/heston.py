# Makes src/engine/golden/heston.json: prices in Heston's model over the whole domain, at 34 digits. Separate from the tests because it needs Python with
# mpmath; the tests and `bsopt verify` read only its output, which is committed. Shared with the kernel is the model alone: the characteristic function is Heston's in
# Gatheral's form, the line of integration is Im z = -0.3, turned by 0.2 where that lets the integrand fall, and each price is that of two
# refinements that agree. Delta, gamma and theta are central differences of eighth order of such prices.
# Run: python3 tests/golden/generate/heston.py > src/engine/golden/heston.json
import json
import math
import random

import mpmath as mp

mp.mp.dps = 34
SEED = 20261121
SHIFT = mp.mpf("0.3")
NAMES = ("spot", "strike", "time_to_expiry", "rate", "dividend_yield", "v0", "kappa", "long_variance", "vol_of_vol", "correlation")


def characteristic(z, t, v0, k, theta, s, r):
    b = k - 1j * r * s * z
    d = mp.sqrt(b * b + s * s * (z * z + 1j * z))
    g = (b - d) / (b + d)
    e = mp.exp(-d * t)
    big = (b - d) / s**2 * (1 - e) / (1 - g * e)
    small = k * theta / s**2 * ((b - d) * t - 2 * mp.log((1 - g * e) / (1 - g)))
    return mp.exp(small + big * v0)


def call(spot, strike, t, rate, dividend_yield, v0, k, theta, s, r):
    forward = spot * mp.exp((rate - dividend_yield) * t)
    x = mp.log(forward / strike)
    phase = x - r * (v0 + k * theta * t) / s
    turn = mp.expjpi(mp.mpf("0.2") / mp.pi * mp.sign(x)) if phase * x > 0 else mp.mpf(1)
    scale = 1 / mp.sqrt(v0 * t + k * theta * t * t / 2)

    def integrand(u):
        z = turn * u - 1j * SHIFT
        return mp.re(turn * mp.exp(1j * z * x) * characteristic(z, t, v0, k, theta, s, r) / (z * z + 1j * z))

    # by u = scale·exp(y - e^(-y)): both ends fall doubly
    def transformed(y):
        back = mp.exp(-y)
        u = scale * mp.exp(y - back)
        return integrand(u) * u * (1 + back)

    low, high = mp.mpf(-5), mp.mpf(1)
    while abs(transformed(high)) > mp.mpf(10) ** -26 or abs(transformed(high + 1)) > mp.mpf(10) ** -26:
        high += 1
        if high > 40:
            return None
    step = mp.mpf(1) / 8
    total = mp.fsum(transformed(low + i * step) for i in range(int((high - low) / step) + 1))
    last = total * step
    for _ in range(6):
        step /= 2
        total += mp.fsum(transformed(low + (2 * i + 1) * step) for i in range(int((high - low) / (2 * step))))
        now = total * step
        if abs(now - last) < mp.mpf(10) ** -19:
            return mp.exp(-rate * t) * (forward - strike * now / mp.pi)
        last = now
    return None


def price(is_call, row):
    value = call(*row)
    if value is None or is_call:
        return value
    spot, strike, t, rate, dividend_yield = row[:5]
    return value - spot * mp.exp(-dividend_yield * t) + strike * mp.exp(-rate * t)


WEIGHTS = (mp.mpf(4) / 5, -mp.mpf(1) / 5, mp.mpf(4) / 105, -mp.mpf(1) / 280)
SECOND = (mp.mpf(8) / 5, -mp.mpf(1) / 5, mp.mpf(8) / 315, -mp.mpf(1) / 560)


def greeks(is_call, row, middle):
    def moved(index, step):
        other = list(row)
        other[index] += step
        return price(is_call, other)

    h = row[0] * mp.mpf("0.004") * min(1, 10 * mp.sqrt(row[5] * row[2]))
    spots = [(moved(0, h * i), moved(0, -h * i)) for i in range(1, 5)]
    delta = sum(w * (a - b) for w, (a, b) in zip(WEIGHTS, spots)) / h
    gamma = (sum(w * (a + b) for w, (a, b) in zip(SECOND, spots)) - middle * mp.mpf(205) / 72) / h**2
    g = row[2] * mp.mpf("0.005")
    times = [(moved(2, g * i), moved(2, -g * i)) for i in range(1, 5)]
    theta = -sum(w * (a - b) for w, (a, b) in zip(WEIGHTS, times)) / g
    return delta, gamma, theta


def wild(source):
    between = source.uniform

    def spread(low, high):
        return math.exp(between(math.log(low), math.log(high)))

    v0, k, theta = spread(1e-3, 1), spread(0.05, 12), spread(1e-3, 0.6)
    s, r, t = spread(0.05, 3), between(-0.99, 0.99), spread(1 / 8760, 30)
    deviation = min(math.sqrt(v0 * t + k * theta * t * t / 2), 0.5)
    strike = 100 * math.exp(between(-4, 4) * deviation)
    return [100.0, strike, t, between(-0.03, 0.1), between(-0.02, 0.06), v0, k, theta, s, r]


# the variance rises with the asset: moments barely above the first explode, and the far side of the strike reaches far
CHOSEN = [
    [100.0, 900.2, 0.74, 0.0, 0.0, 0.623, 0.0555, 0.0947, 0.8387, 0.97906],
    [100.0, 1591.8, 1.8855, 0.0, 0.0, 0.0946, 0.0531, 0.0152, 0.3089, 0.98087],
    [100.0, 30.626, 4.3585, 0.0, 0.0, 0.02124, 0.12214, 0.31985, 0.31514, 0.98951],
    [100.0, 50.464, 4.6673, 0.0, 0.0, 0.54534, 0.23018, 0.01255, 0.60363, 0.97911],
]

source = random.Random(SEED)
rows = []
while len(rows) < 96:
    row = [float(f"{value:.6g}") for value in wild(source)]
    is_call = len(rows) % 2 == 0
    exact = [mp.mpf(value) for value in row]
    value = price(is_call, exact)
    if value is None:
        continue
    more = [None, None, None]
    if len(rows) % 8 == 0:
        more = [float(f) for f in greeks(is_call, exact, value)]
    rows.append([int(is_call), *row, float(value), *more])
for row in CHOSEN:
    value = price(True, [mp.mpf(each) for each in row])
    rows.append([1, *row, float(value), None, None, None])
print('{\n  "source": "mpmath at 34 digits, tests/golden/generate/heston.py; where delta is null nothing but the price is there",')
print('  "columns": ' + json.dumps(["is_call", *NAMES, "price", "delta", "gamma", "theta"]) + ",")
print('  "rows": [')
print(",\n".join("    " + json.dumps(row) for row in rows))
print("  ]\n}")
