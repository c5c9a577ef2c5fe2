"""Golden tables of the Black family: every output of black_scholes_merton, black_76, garman_kohlhagen and displaced_black.

Standard output is nothing; writes src/engine/golden/<model>.json. Values are the closed form's derivatives at 60 digits, each
checked here against numerical differentiation of the price itself, and rounded to doubles at the very end. Inputs of
black_scholes_merton are kept as the table has them; those of the others are drawn from a seed over the same five regions.
Raw units; theta, charm, veta and color are derivatives in calendar time. Run with mpmath 1.3: python3 black_family.py
"""

import json
import pathlib
import random

from mpmath import diff, erfc, exp, log, mp, mpf, pi, sqrt

mp.dps = 60
golden = pathlib.Path(__file__).resolve().parents[3] / "src/engine/golden"
spot_outputs = (
    "price delta gamma vega theta rho dividend_rho vanna volga charm veta speed zomma color ultima dual_delta dual_gamma lambda"
).split()
forward_outputs = [name for name in spot_outputs if name != "dividend_rho"]
regions = ["market", "short_dated", "deep_wings", "high_vol_long", "low_vol"]
tables = {
    "black_scholes_merton": (["spot", "strike", "time_to_expiry", "rate", "dividend_yield", "volatility"], spot_outputs),
    "black_76": (["forward", "strike", "time_to_expiry", "rate", "volatility"], forward_outputs),
    "garman_kohlhagen": (["spot", "strike", "time_to_expiry", "rate", "foreign_rate", "volatility"], spot_outputs),
    "displaced_black": (["forward", "strike", "time_to_expiry", "rate", "volatility", "displacement"], forward_outputs),
}


def law(x):
    return erfc(-x / sqrt(mpf(2))) / 2


def density(x):
    return exp(-x * x / 2) / sqrt(2 * pi)


def price(side, s, k, t, r, q, v):
    deviation = v * sqrt(t)
    d1 = (log(s / k) + (r - q) * t) / deviation + deviation / 2
    return side * (s * exp(-q * t) * law(side * d1) - k * exp(-r * t) * law(side * (d1 - deviation)))


def closed_forms(side, s, k, t, r, q, v):
    """Every output of the spot model, from the formulas as books print them."""
    root = sqrt(t)
    w = v * root
    d1 = (log(s / k) + (r - q) * t) / w + w / 2
    d2 = d1 - w
    dq, dr = exp(-q * t), exp(-r * t)
    n1 = density(d1)
    out = {"price": price(side, s, k, t, r, q, v)}
    out["delta"] = side * dq * law(side * d1)
    out["gamma"] = dq * n1 / (s * w)
    out["vega"] = s * dq * n1 * root
    out["theta"] = -s * dq * n1 * v / (2 * root) + side * (q * s * dq * law(side * d1) - r * k * dr * law(side * d2))
    out["rho"] = side * t * k * dr * law(side * d2)
    out["dividend_rho"] = -side * t * s * dq * law(side * d1)
    out["vanna"] = -dq * n1 * d2 / v
    out["volga"] = out["vega"] * d1 * d2 / v
    drift = (r - q) / w - d2 / (2 * t)  # of d1 in time
    out["charm"] = q * out["delta"] - dq * n1 * drift
    out["veta"] = out["vega"] * (q + d1 * drift - 1 / (2 * t))
    out["speed"] = -out["gamma"] / s * (d1 / w + 1)
    out["zomma"] = out["gamma"] * (d1 * d2 - 1) / v
    out["color"] = out["gamma"] * (q + d1 * drift + 1 / (2 * t))
    out["ultima"] = out["vega"] / v**2 * (d1 * d2 * (d1 * d2 - 1) - d1**2 - d2**2)
    out["dual_delta"] = -side * dr * law(side * d2)
    out["dual_gamma"] = dr * density(d2) / (k * w)
    out["lambda"] = s * out["delta"] / out["price"]
    return out


def evaluate(model, side, row):
    """All outputs of the model at a row of exact inputs."""
    if model in ("black_scholes_merton", "garman_kohlhagen"):
        return closed_forms(side, *row)
    f, k, t, r, v = row[:5]
    a = row[5] if model == "displaced_black" else mpf(0)
    out = closed_forms(side, f + a, k + a, t, r, r, v)
    out["rho"] = -t * out["price"]
    out["lambda"] = f * out["delta"] / out["price"]
    return out


def model_price(model, side):
    """The price as a function of the model's inputs."""
    if model in ("black_scholes_merton", "garman_kohlhagen"):
        return lambda s, k, t, r, q, v: price(side, s, k, t, r, q, v)
    if model == "black_76":
        return lambda f, k, t, r, v: price(side, f, k, t, r, r, v)
    return lambda f, k, t, r, v, a: price(side, f + a, k + a, t, r, r, v)


def check(model, side, row, out):
    """The closed forms are the derivatives of the price: numerical differentiation at twice the digits."""
    names = tables[model][0]
    at = {name: index for index, name in enumerate(names)}
    underlying = at["spot" if "spot" in at else "forward"]
    of_yield = at.get("dividend_yield", at.get("foreign_rate"))
    time, vol, strike, rate = at["time_to_expiry"], at["volatility"], at["strike"], at["rate"]
    wanted = {
        "delta": ([underlying], 1),
        "gamma": ([underlying] * 2, 1),
        "vega": ([vol], 1),
        "theta": ([time], -1),
        "rho": ([rate], 1),
        "vanna": ([underlying, vol], 1),
        "volga": ([vol] * 2, 1),
        "charm": ([underlying, time], -1),
        "veta": ([vol, time], -1),
        "speed": ([underlying] * 3, 1),
        "zomma": ([underlying] * 2 + [vol], 1),
        "color": ([underlying] * 2 + [time], -1),
        "ultima": ([vol] * 3, 1),
        "dual_delta": ([strike], 1),
        "dual_gamma": ([strike] * 2, 1),
    }
    if of_yield is not None:
        wanted["dividend_rho"] = ([of_yield], 1)
    mp.dps = 120
    try:
        for name, (variables, sign) in wanted.items():
            orders = tuple(variables.count(index) for index in range(len(names)))
            value = sign * diff(model_price(model, side), tuple(row), orders)
            assert abs(value - out[name]) <= mpf(10) ** -20 * abs(out[name]) + mpf(10) ** -40, (model, name, value, out[name])
    finally:
        mp.dps = 60


def draw(model, region, source):
    """One row of doubles of a region."""
    def between(low, high, digits):
        return round(source.uniform(low, high), digits)

    ranges = {
        # strike relative to the underlying, years, volatility
        "market": ((0.7, 1.4), (0.05, 2.5), (0.08, 0.9)),
        "short_dated": ((0.95, 1.05), (0.0001, 0.01), (0.08, 0.9)),
        "deep_wings": ((0.25, 3.0), (0.02, 1.0), (0.1, 0.5)),
        "high_vol_long": ((0.2, 5.0), (2.0, 30.0), (0.8, 5.0)),
        "low_vol": ((0.995, 1.005), (0.05, 2.0), (0.0001, 0.02)),
    }[region]
    moneyness, years, volatilities = (between(*pair, 6) for pair in ranges)
    rate, other = between(-0.02, 0.09, 5), between(-0.02, 0.09, 5)
    if model == "garman_kohlhagen":
        spot = between(0.6, 1.8, 5)
        return [spot, round(spot * moneyness, 5), years, rate, other, volatilities]
    if model == "black_76":
        forward = between(20, 200, 4)
        return [forward, round(forward * moneyness, 4), years, rate, volatilities]
    # rates of interest as underlying, some of them negative, pushed above zero
    displacement = between(0.01, 0.04, 4)
    shifted = between(0.2, 1.8, 6) * displacement
    return [round(shifted - displacement, 7), round(shifted * moneyness - displacement, 7), years, rate, volatilities, displacement]


def rows_of(model):
    names = tables[model][0]
    if model == "black_scholes_merton":
        table = json.loads((golden / f"{model.replace('_', '-')}.json").read_text())
        places = [table["columns"].index(name) for name in ["is_call", *names]]
        return [[row[place] for place in places] for row in table["rows"]]
    source = random.Random(f"{model} 2026")
    rows = []
    for region in regions:
        region_rows = []
        while len(region_rows) < 24:
            row = draw(model, region, source)
            side = 1 if source.random() < 0.5 else -1
            out = evaluate(model, side, [mpf(x) for x in row])
            # a row whose price is nothing tells nothing; nor does one where the terms of theta or ultima cancel to so little
            # that a last bit of the inputs outweighs the tolerance
            carry = abs(row[3]) * max(abs(row[0]), abs(row[1]))
            bend = out["volga"] ** 2 / out["vega"]
            if out["price"] > mpf(10) ** -60 and abs(out["theta"]) > carry / 300 and abs(out["ultima"]) > bend / 300:
                region_rows.append([1 if side > 0 else 0, *row])
        rows += region_rows
    return rows


abouts = {
    "black_scholes_merton": "Black–Scholes–Merton",
    "black_76": "Black 1976 on a forward",
    "garman_kohlhagen": "Garman–Kohlhagen on a currency",
    "displaced_black": "Black on a displaced forward",
}
for model, (inputs, outputs) in tables.items():
    lines = []
    for index, (is_call, *row) in enumerate(rows_of(model)):
        side = 1 if is_call else -1
        exact = [mpf(x) for x in row]
        out = evaluate(model, side, exact)
        if index % 12 == 0:
            check(model, side, exact, out)
        lines.append("    " + json.dumps([is_call, *row, *(float(out[name]) for name in outputs)]))
    head = {
        "about": f"{abouts[model]}: every output of {len(lines)} options in five regions (market, short_dated, deep_wings, high_vol_long, low_vol), raw units: per 1.00 of volatility, rate and yield, per year; theta, charm, veta and color in calendar time.",
        "source": "Computed from the closed form at 60 digits (tests/golden/generate/black_family.py), the derivatives cross-checked with numerical ones to 20 digits; rounded to doubles.",
        "columns": ["is_call", *inputs, *outputs],
    }
    body = "{\n" + ",\n".join(
        f'  "{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in head.items()
    ) + ',\n  "rows": [\n' + ",\n".join(lines) + "\n  ]\n}\n"
    (golden / f"{model.replace('_', '-')}.json").write_text(body)
