"""Tail probabilities from closed forms in long decimals (Abramowitz & Stegun 26.2.14, 26.4.4, 26.4.5, 26.7.4)."""

from __future__ import annotations

from decimal import Decimal, localcontext

PI = Decimal(
    "3.1415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170679"
)  # fmt: skip


def _neg_log10(p: Decimal) -> float:
    with localcontext() as context:
        context.prec = 40  # the digits that count are those of p itself, and the logarithm of all of them is slow
        return float(-(+p).log10())


def t_even(t: float, df: int, digits: int) -> float:
    """−log10 of the two-sided p of Student's t, even df: one minus a finite sum, so `digits` must exceed the answer."""
    with localcontext() as context:
        context.prec = digits
        x, v = Decimal(t), Decimal(df)
        sine, cosine2 = abs(x) / (v + x * x).sqrt(), v / (v + x * x)
        term = total = Decimal(1)
        for k in range(2, df, 2):
            term *= cosine2 * (k - 1) / k
            total += term
        return _neg_log10(1 - sine * total)


def normal(z: float) -> float:
    """−log10 of the two-sided p of a normal z > 1: density times the continued fraction of Mills' ratio."""
    with localcontext() as context:
        context.prec = 60
        return _neg_log10(2 * _upper_normal(Decimal(z)))


def _upper_normal(x: Decimal) -> Decimal:
    tail = x
    for k in range(4000, 0, -1):
        tail = x + k / tail
    return (-x * x / 2).exp() / (2 * PI).sqrt() / tail


def chi2(x: float, df: int) -> float:
    """−log10 of the upper tail of χ², whole df."""
    with localcontext() as context:
        context.prec = 60
        y = Decimal(x)
        if df % 2 == 0:
            term = total = Decimal(1)
            for k in range(1, df // 2):
                term *= y / 2 / k
                total += term
            return _neg_log10((-y / 2).exp() * total)
        root = y.sqrt()
        total = Decimal(0)
        term = root
        for r in range(1, (df - 1) // 2 + 1):
            total += term
            term *= y / (2 * r + 1)
        return _neg_log10(2 * _upper_normal(root) + 2 * (-y / 2).exp() / (2 * PI).sqrt() * total)
