# Prints the polynomials of assembly/math/trigonometry.ts: Chebyshev interpolation at 60 digits in z = r², and what the doubles they become are off by.
# Separate from the sources because it needs Python with mpmath. Run: python3 tests/golden/generate/trigonometry_fit.py
import mpmath as mp

mp.mp.dps = 60


def fit(function, high, degree):
    """The polynomial through Chebyshev's points on [0, high], in powers of z, lowest first, as doubles."""
    points = [high / 2 * (1 + mp.cos(mp.pi * (2 * k + 1) / (2 * degree + 2))) for k in range(degree + 1)]
    matrix = mp.matrix(degree + 1, degree + 1)
    values = mp.matrix(degree + 1, 1)
    for row, z in enumerate(points):
        values[row] = function(z)
        for column in range(degree + 1):
            matrix[row, column] = z**column
    return [float(c) for c in mp.lu_solve(matrix, values)]


def show(name, function, high, degree, error):
    coefficients = fit(function, high, degree)
    worst = max(error(z, sum(mp.mpf(c) * z**k for k, c in enumerate(coefficients))) for z in mp.linspace(high / 10**6, high, 2001))
    print(name, "worst", mp.nstr(worst, 3))
    for k in reversed(range(degree + 1)):
        print(f"    {coefficients[k]!r}, {coefficients[k]!r}, // z^{k}")


quarter = (mp.pi / 4) ** 2 * mp.mpf("1.0001")
show("sin(r) = r + r³ P(z)", lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, quarter, 5, lambda z, p: abs((1 + z * p) * mp.sqrt(z) / mp.sin(mp.sqrt(z)) - 1))
show("cos(r) = 1 - z/2 + z² P(z)", lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, quarter, 5, lambda z, p: abs((1 - z / 2 + z * z * p) / mp.cos(mp.sqrt(z)) - 1))
eighth = mp.tan(mp.pi / 8) ** 2 * mp.mpf("1.0001")
show("atan(t) = t + t³ P(z)", lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, eighth, 10, lambda z, p: abs((1 + z * p) * mp.sqrt(z) / mp.atan(mp.sqrt(z)) - 1))
half_pi = mp.pi / 2
first = mp.floor(half_pi * 2**32) / 2**32
second = mp.floor((half_pi - first) * 2**65) / 2**65
third = half_pi - first - second
print("pi/2 in parts", [float(part) for part in (first, second, third)], [float(part).hex() for part in (first, second, third)], float(2 / mp.pi).hex(), float(2 / mp.pi))
