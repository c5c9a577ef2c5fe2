# Makes tests/golden/sobol.json, the parameters of Sobol's sequence as Joe and Kuo chose them (2008, new-joe-kuo-6.21201, https://web.maths.unsw.edu.au/~fkuo/sobol/):
# for each dimension the coefficients of a primitive polynomial, highest first, as the bits of a number, and the first direction integers. Separate from
# the tests because it needs scipy, which carries the whole list. With --table it prints the rows of assembly/math/sobol.ts instead.
# Run: python3 tests/golden/generate/sobol.py > tests/golden/sobol.json
import json
import os
import sys

import numpy
import scipy

DIMENSIONS = 64
BITS = 20
source = numpy.load(os.path.join(os.path.dirname(scipy.__file__), "stats", "_sobol_direction_numbers.npz"))
polynomials = [int(value) for value in source["poly"][:DIMENSIONS]]
firsts = [[int(value) for value in row if value] for row in source["vinit"][:DIMENSIONS]]


def directions(polynomial, first):
    """The direction numbers, 32 bits wide: Bratley and Fox 1988, equation 2."""
    degree = polynomial.bit_length() - 1
    if degree == 0:
        return [1 << (31 - bit) for bit in range(BITS)]
    m = list(first)
    for bit in range(degree, BITS):
        value = m[bit - degree] ^ (m[bit - degree] << degree)
        for k in range(1, degree):
            if polynomial >> (degree - k) & 1:
                value ^= m[bit - k] << k
        m.append(value)
    return [m[bit] << (31 - bit) for bit in range(BITS)]


if "--table" in sys.argv:
    for polynomial, first in zip(polynomials, firsts):
        print("    " + ", ".join(f"0x{value:08x}" for value in directions(polynomial, first)) + ",")
else:
    print('{\n  "source": "Joe and Kuo (2008), new-joe-kuo-6.21201, as scipy carries it; tests/golden/generate/sobol.py",')
    print('  "columns": "the primitive polynomial\'s coefficients as bits; the first direction integers",')
    print('  "dimensions": [')
    print(",\n".join("    " + json.dumps(list(row)) for row in zip(polynomials, firsts)))
    print("  ]\n}")
