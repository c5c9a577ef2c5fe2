# Makes tests/golden/stochastic-published.json from the rows that others published, with their sources; the numbers themselves are copied, nothing is computed but the
# volatilities that a source gives as parts of a whole. Kept so that it can be seen which rows were left out and why. Run with the folder that holds heston.json and
# merton_jump.json as its argument.
import json
import math
import sys

folder = sys.argv[1]
rows = []
for section in json.load(open(f"{folder}/heston.json"))["sections"]:
    tolerance = section["tolerance"]
    for case in section["cases"]:
        c = {**section.get("params", {}), **case}
        # a deep wing is worth less than a double can add to its forward: held absolutely
        allowed = {"abs": c["tol"]} if "tol" in c else tolerance if "mc" not in tolerance else {"abs": 1e-12}
        expected = c.get("expected", c.get("expected_otm"))
        rows.append({
            "model": "heston", "source": section["citation"], "is_call": int(c.get("type", c.get("otm_type")) == "call"),
            "inputs": {"spot": c["spot"], "strike": c["strike"], "time_to_expiry": c["t"], "rate": c["r"], "dividend_yield": c["q"], "v0": c["v0"], "kappa": c["kappa"], "long_variance": c["theta"], "vol_of_vol": c["sigma"], "correlation": c["rho"]},
            "price": expected, "tolerance": allowed["rel"] * expected if "rel" in allowed else allowed["abs"],
        })
for section in json.load(open(f"{folder}/merton_jump.json"))["sections"]:
    for c in section["cases"]:
        deviation = math.sqrt(c["gamma"] * c["vol"] ** 2 / c["jump_intensity"])
        rows.append({
            "model": "merton_jump", "source": section["citation"], "is_call": int(c["type"] == "call"),
            "inputs": {"spot": c["spot"], "strike": c["strike"], "time_to_expiry": c["t"], "rate": c["r"], "dividend_yield": c["q"], "volatility": math.sqrt(c["vol"] ** 2 - c["jump_intensity"] * deviation**2), "jump_intensity": c["jump_intensity"], "jump_mean": -deviation**2 / 2, "jump_volatility": deviation},
            "price": c["expected"], "tolerance": c["tol"],
        })
print('{\n  "about": "Published prices of Heston\'s and Merton\'s models; each row names its source. Merton\'s jumps have no mean effect on the asset: their logarithm\'s mean is minus half its variance.",')
print('  "rows": [')
print(",\n".join("    " + json.dumps(row) for row in rows))
print("  ]\n}")
