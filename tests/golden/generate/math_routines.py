# Makes tests/golden/math-routines.json: the kernel's math routines at points chosen to hurt, to 60 digits. Separate from the tests because it
# needs Python with mpmath; the tests read only its output, which is committed. A value is written as two doubles, high + low,
# so that an error far below one unit in the last place can be seen. Nothing is shared with the kernel.
# Run: python3 tests/golden/generate/math_routines.py > tests/golden/math-routines.json
import json
import math
import random

import mpmath as mp

mp.mp.dps = 60
random.seed(20261120)


def pair(value):
    high = float(value)
    return [high, float(value - mp.mpf(high))]


def rows(function, points):
    return [[*point, *pair(function(*(mp.mpf(x) for x in point)))] for point in points]


def near(a, b):
    return random.uniform(a, b)


half_ln2 = math.log(2) / 2
exp_points = [(x,) for x in [0.0, -0.0, 1.0, -1.0, 1e-300, 1e-17, -1e-17, 700.0, -700.0, 708.0, -708.0]]
exp_points += [(k * 2 * half_ln2 + half_ln2 + near(-1e-9, 1e-9),) for k in (-900, -50, -2, -1, 0, 1, 2, 50, 900)]
exp_points += [(near(-0.35, 0.35),) for _ in range(300)] + [(near(-700, 700),) for _ in range(300)]

sum_points = [(-near(0, 700), near(-1e-5, 1e-5)) for _ in range(300)] + [(-703.125, -1e-6), (0.0, 0.0), (0.0, -1e-9)]

log_points = []
for exponent in range(-300, 3, 2):
    ratio = 1 + near(-0.9, 0.9) * 10.0 ** min(0, max(exponent, -15))
    b = math.ldexp(near(0.5, 1), random.randint(-190, 190))
    log_points.append((b * ratio, b))
log_points += [(near(1, 2), near(1, 2)) for _ in range(300)]
log_points += [(math.ldexp(near(1, 2), random.randint(-199, 198)), math.ldexp(near(1, 2), random.randint(-199, 198))) for _ in range(100)]
log_points += [(math.nextafter(b, 2 * b), b) for b in (1.0, 1.5, 2.0, 100.0, 0.1)]
log_points += [(2.0, 1.0), (1.0, 2.0), (1.9999999999999998, 1.0), (1.0, 1.9999999999999998), (math.sqrt(2), 1.0), (100.0, 100.0)]


def mills(x):
    return mp.sqrt(mp.pi / 2) * mp.erfc(x / mp.sqrt(2)) * mp.exp(x * x / 2)


mills_points = [(x,) for x in [0.0, 1e-300, 1e-9, 0.41, 7.2, 37.5, 39.0]]
mills_points += [(near(0, 3),) for _ in range(300)] + [(near(0, 39),) for _ in range(300)]

density_points = [(x,) for x in [0.0, -0.0, 1e-200, 1.0, -1.0, 37.49, -37.49]] + [(near(-37.4, 37.4),) for _ in range(300)]
law_points = [(x,) for x in [0.0, 1e-200, -1e-200, 37.49, -37.49]]
law_points += [(near(-6, 6),) for _ in range(300)] + [(near(-37.4, 0),) for _ in range(200)]

power_points = [(x,) for x in [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 1e-300, -1e-17, 1019.75, -1019.75]]
power_points += [(near(-0.5, 0.5),) for _ in range(200)] + [(near(-1020, 1020),) for _ in range(200)]

turn_points = [(0.0,), (1e-300,), (1e-9,), (-1e-9,), (math.pi,), (math.pi / 2,), (-math.pi / 4,), (1e5,), (-1e5,)]
turn_points += [(near(-4, 4),) for _ in range(300)] + [(near(-1e5, 1e5),) for _ in range(300)]
turn_points += [(k * math.pi / 4 + near(-1e-12, 1e-12),) for k in range(-40, 41)]
angle_points = [(0.0, 1.0), (1.0, 0.0), (-1.0, 0.0), (1e-300, 1.0), (1e-9, -1.0), (-1e-9, -1.0), (1.0, 1.0), (-1.0, -1.0)]
angle_points += [(near(-1, 1), near(-1, 1)) for _ in range(400)]
angle_points += [(near(-1, 1) * 10 ** near(-12, 3), near(-1, 1) * 10 ** near(-12, 3)) for _ in range(300)]
less_points = [(0.0,), (1e-300,), (-1e-17,), (700.0,), (-700.0,), (-0.34658,), (0.34658,)]
less_points += [(near(-1, 1) * 10 ** near(-15, 0),) for _ in range(300)] + [(near(-50, 50),) for _ in range(100)]
plus_points = [(0.0,), (1e-300,), (-1e-17,), (-0.5,), (-0.999,), (1e6,)]
plus_points += [(near(-0.9, 1) * 10 ** near(-15, 0),) for _ in range(400)] + [(10 ** near(-3, 12),) for _ in range(100)]

# the words that simulations draw lie at (n + 1/2)/2^32; beyond them the tails
inverse_points = [(0.5,), (0.075,), (0.925,), (2.0**-33,), (1 - 2.0**-33,), (1e-300,), (1.4e-11,), (1.3e-11,)]
inverse_points += [((random.randrange(2**32) + 0.5) / 2**32,) for _ in range(300)] + [(10 ** near(-250, -0.302),) for _ in range(200)]


def inverse_normal(p):
    # the smaller tail's own equation, so that no digit is lost to 1 - p
    if p == mp.mpf(1) / 2:
        return mp.mpf(0)
    tail = min(p, 1 - p)
    # ln N(-x) by Newton's method, which the tail's logarithm makes short
    x = mp.sqrt(-2 * mp.log(tail)) if tail < 0.1 else mp.mpf(1)
    for _ in range(60):
        law = mp.erfc(x / mp.sqrt(2)) / 2
        step = mp.log(law / tail) * law / mp.npdf(x)
        x += step
        if abs(step) < mp.mpf(10) ** -50 * (1 + abs(x)):
            break
    return x if p > mp.mpf(1) / 2 else -x


tables = {
    "exp": rows(mp.exp, exp_points),
    "exp_of_sum": rows(lambda a, b: mp.exp(a + b), sum_points),
    "log_ratio": rows(lambda a, b: mp.log(a / b), log_points),
    "mills": rows(mills, mills_points),
    "normal_density": rows(mp.npdf, density_points),
    "exp2": rows(lambda y: mp.mpf(2) ** y, power_points),
    "sine": rows(mp.sin, turn_points),
    "cosine": rows(mp.cos, turn_points),
    "angle": rows(mp.atan2, angle_points),
    "exp_less_one": rows(mp.expm1, less_points),
    "log_one_plus": rows(mp.log1p, plus_points),
    "inverse_normal": rows(inverse_normal, inverse_points),
    "normal_law": rows(lambda x: mp.erfc(-x / mp.sqrt(2)) / 2, law_points),
}
print('{\n  "source": "mpmath at 60 digits; tests/golden/generate/math_routines.py",')
print('  "columns": "the arguments, then the value as high + low",')
for index, (name, table) in enumerate(tables.items()):
    body = ",\n".join("    " + json.dumps(row) for row in table)
    print(f'  "{name}": [\n{body}\n  ]' + ("," if index + 1 < len(tables) else ""))
print("}")
