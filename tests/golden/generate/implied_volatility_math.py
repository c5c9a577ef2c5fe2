# Makes tests/golden/implied_volatility_math.json: the Mills ratio, its slope and the difference of two ratios, to the last digit.
# Separate from the tests because it needs Python with mpmath; the tests read only its output, which is committed.
# Run: python3 tests/golden/generate/implied_volatility_math.py > tests/golden/implied_volatility_math.json
import json
import random

import mpmath as mp

mp.mp.dps = 60
HTMAX = 2.999
chance = random.Random(7)


def mills(z):
    z = mp.mpf(z)
    return mp.sqrt(mp.pi / 2) * mp.exp(z * z / 2) * mp.erfc(z / mp.sqrt(2))


def spread(low, high, count):
    """Doubles from end to end, closer together at the low end."""
    return [low + (high - low) * (index / (count - 1)) ** 2 for index in range(count)]


def series_points():
    yield 0.0, 1e-9
    yield 0.0, 0.3499
    for _ in range(238):
        t = 0.35 * chance.random() * 10 ** -chance.choice([0, 0, 1, 3, 6])
        yield min(39.0, chance.random() * 10 ** chance.choice([0, 1]), HTMAX / t), t


slope = [[h, float(1 - h * mills(h))] for h in spread(0.0, 40.0, 120)]
ratio = [[z, float(mills(z))] for z in spread(-0.75, 39.25, 120)]
difference = [[h, t, float(mills(mp.mpf(h) - t) - mills(mp.mpf(h) + t))] for h, t in series_points()]
print(json.dumps({
    "about": "R(z) = N(-z)/phi(z) as [z, R]; G(h) = 1 - h R(h) as [h, G]; D = R(h - t) - R(h + t) as [h, t, D]. Correctly rounded.",
    "source": "computed at 60 digits by tests/golden/generate/implied_volatility_math.py",
    "ratio": "RATIO", "slope": "SLOPE", "difference": "DIFFERENCE",
}, indent=1).replace('"RATIO"', json.dumps(ratio)).replace('"SLOPE"', json.dumps(slope)).replace('"DIFFERENCE"', json.dumps(difference)))
