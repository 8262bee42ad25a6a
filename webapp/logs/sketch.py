"""How many different values there were, from 2048 bits: 128 rows of 16, in the manner of Flajolet and Martin.

A value sets one bit: its hash picks the row, and bit n of it with a chance of 2^-(n+1). Sketches are merged
by OR, which PostgreSQL does by itself, and read by how many bits are set: nearly exact up to ten values, off
by about 7 % beyond. `among` carries what a sample showed over to all lines.
"""

import math

from psycopg import sql

ROWS, BITS = 128, 16
CHANCES = [2.0 ** -(bit + 1) for bit in range(BITS - 1)] + [2.0 ** -(BITS - 1)]
MOST = float(ROWS << BITS)

# The bit that a hash (int8) sets, as a sketch. ln of a number drawn evenly from (0, 1] by the upper bits.
SKETCH = sql.SQL(
    "set_bit(0::bit(2048), ((hash & 127) * 16)::int"
    " + least(15, floor(-ln((((hash >> 10) & 9007199254740991) + 1)::float8 / 9007199254740992.0)"
    " / 0.6931471805599453))::int, 1)"
)


def estimate(set_bits: int) -> float:
    """How many values set so many bits: what would be expected, turned round."""
    low, high = 0.0, MOST
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle) < set_bits else (low, middle)
    return low


def expected(values: float) -> float:
    return ROWS * sum(-math.expm1(-values * chance / ROWS) for chance in CHANCES)


def among(distinct: float, looked: int, lines: int) -> int:
    """Different values in all lines, if they lie as evenly there as in those that were looked at."""
    distinct = min(distinct, looked)
    if lines <= looked or distinct > 0.95 * looked:  # nearly every line has its own
        return round(distinct * lines / looked) if looked else 0
    low, high = distinct, float(lines)
    for _ in range(60):
        middle = (low + high) / 2
        seen = middle * -math.expm1(-looked / middle) if middle else 0
        low, high = (middle, high) if seen < distinct else (low, middle)
    return min(lines, max(1, round(low)))
