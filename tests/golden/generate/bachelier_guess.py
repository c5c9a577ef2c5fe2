# Fits the first guess of the normal model's implied volatility (assembly/iv/bachelier.ts): s = √(η π/2)·(2p + x)·P(η)/Q(η), where p
# is the undiscounted time value, x = |forward - strike|, η = ν/atanh ν, ν = x/(2p + x). Separate from the tests because it needs Python with
# mpmath; its output is the table of coefficients in the source. Remez's exchange on the relative error, over all distances h = x/s a
# double's price can mean (0 to 48). Run: python3 tests/golden/generate/bachelier_guess.py
import mpmath as mp

mp.mp.dps = 50
DEGREE = 5
LARGEST = mp.mpf(48)


def point(h):
    """η and the wanted quotient at the distance h, with s = 1 and so x = h."""
    h = mp.mpf(h)
    ratio = mp.sqrt(mp.pi / 2) * mp.exp(h * h / 2) * mp.erfc(h / mp.sqrt(2))
    p = mp.npdf(h) * (1 - h * ratio)
    c = 2 * p + h
    eta = 2 * (h / c) / mp.log1p(h / p) if h > 0 else mp.mpf(1)
    return eta, 1 / (mp.sqrt(eta * mp.pi / 2) * c)


def error(top, bottom, at):
    eta, wanted = at
    return mp.polyval(top, eta) / mp.polyval(bottom, eta) / wanted - 1


def solve(points, bottom, size):
    """The rational function whose error alternates at the points, all of one size, by Newton from the last one found."""
    for _ in range(30):
        rows, right = [], []
        for index, (eta, wanted) in enumerate(points):
            scale = wanted * (1 + (-1) ** index * size)
            powers = [eta**k for k in range(DEGREE, -1, -1)]
            # P - wanted (1 ± size) Q = 0 with Q's constant term 1
            slope = (-1) ** index * wanted * mp.polyval(bottom, eta)
            rows.append(powers + [-scale * each for each in powers[:-1]] + [-slope])
            right.append(scale - slope * size)
        found = mp.lu_solve(mp.matrix(rows), mp.matrix(right))
        top = list(found[: DEGREE + 1])
        bottom = list(found[DEGREE + 1 : 2 * DEGREE + 1]) + [mp.mpf(1)]
        new = found[2 * DEGREE + 1]
        if abs(new - size) < mp.mpf(10) ** -30:
            break
        size = new
    return top, bottom, size


def fit():
    """Remez's exchange, from points that a look at a cruder fit's zeros gave (Chebyshev's are too far off to converge)."""
    start = [0, 0.442, 0.923, 1.464, 2.117, 2.921, 4.358, 6.98, 11.059, 18.096, 29.503, 48]
    bottom, size = [mp.mpf(each) for each in (1000, 5000, 700, 900, 100, 1)], mp.mpf(0)
    # close together near the money and wide apart far from it
    grid = [LARGEST * (mp.mpf(k) / 4000) ** 2 for k in range(4001)]
    values = [point(h) for h in grid]
    chosen = [round(4000 * mp.sqrt(h / LARGEST)) for h in start]
    for _ in range(30):
        top, bottom, size = solve([values[index] for index in chosen], bottom, size)
        errors = [error(top, bottom, each) for each in values]
        peaks = []
        for index, value in enumerate(errors):
            if peaks and mp.sign(errors[peaks[-1]]) == mp.sign(value):
                if abs(value) > abs(errors[peaks[-1]]):
                    peaks[-1] = index
            else:
                peaks.append(index)
        while len(peaks) > len(start):
            peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
        worst = max(abs(value) for value in errors)
        print(f"# {mp.nstr(worst, 6)} at most, {mp.nstr(abs(size), 6)} at the points")
        if len(peaks) < len(start):
            raise SystemExit("the exchange lost its points")
        chosen = peaks
        if worst < abs(size) * (1 + mp.mpf(10) ** -4):
            break
    return top, bottom


if __name__ == "__main__":
    top, bottom = fit()
    for name, coefficients in (("numerator", top), ("denominator", bottom)):
        print(name, [float(each) for each in coefficients])
