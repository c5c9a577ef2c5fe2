#!/usr/bin/env python3
"""Prints the constants of assembly/models/american-tables.ts: the nodes (1 + z)/2 and weights of Gauss-Legendre's rules on [0, 1]
and the cosines of Chebyshev's points, each from 40 digits rounded once. Needs mpmath."""

from mpmath import cos, mp, mpf, pi

mp.dps = 50


def rule(count):
    rows = []
    for i in range(count):
        z = -cos(pi * (i + mpf(3) / 4) / (count + mpf(1) / 2))
        for _ in range(12):
            before, value = mpf(0), mpf(1)
            for j in range(count):
                before, value = value, ((2 * j + 1) * z * value - j * before) / (j + 1)
            slope = count * (z * value - before) / (z * z - 1)
            z -= value / slope
        rows.append(((1 + z) / 2, 1 / ((1 - z * z) * slope * slope)))
    return rows


def show(name, values):
    print(f"export const {name}: usize = memory.data<f64>(\n  [")
    for at in range(0, len(values), 4):
        print("    " + ", ".join(repr(float(v)) for v in values[at : at + 4]) + ",")
    print("  ],\n  16,\n);\n")


for count in (8, 16, 20, 32, 40, 96):
    nodes = rule(count)
    assert abs(sum(w for _, w in nodes) - 1) < mpf(10) ** -35
    show(f"gauss{count}", [x for x, _ in nodes] + [w for _, w in nodes])
for count in (6, 12, 24):
    show(f"chebyshev{count}", [-cos(pi * i / count) for i in range(count + 1)])
