"""Dividing minor units exactly: the parts always add up to the whole."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """`amount` in proportion to `weights` (largest remainder, ties to the earlier part).

    All-zero weights divide evenly. No part is ever more than its exact share rounded up, nor less than it rounded
    down, so with 0 <= amount <= sum(weights) no part exceeds its weight. Raises ValueError for negative weights.
    """
    if any(w < 0 for w in weights) or not weights:
        raise ValueError("weights must be there and not negative")
    if amount < 0:
        return [-part for part in allocate(-amount, weights)]
    whole = sum(weights)
    if whole == 0:
        return allocate(amount, [1] * len(weights))
    parts = [amount * w // whole for w in weights]
    rest = amount - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % whole), i))
    for i in by_remainder[:rest]:
        parts[i] += 1
    return parts


def share(total: int, part: Decimal | int, whole: Decimal | int) -> int:
    """`part/whole` of minor units, exact, rounded half to even; the whole of it is exactly `total`, none of it 0."""
    if part == whole:
        return total
    above, below = part.as_integer_ratio()
    whole_above, whole_below = whole.as_integer_ratio()
    numerator, denominator = total * above * whole_below, below * whole_above
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1):
        quotient += 1
    return quotient
