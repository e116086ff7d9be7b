"""How numbers are written: three significant digits, a true minus, p-values that do not underflow."""

from __future__ import annotations

import math

from markupsafe import Markup

from radiolocus.report.blocks import Cell

__all__ = [
    "count",
    "interval",
    "interval_cell",
    "number",
    "number_cell",
    "p_cell",
    "p_html",
    "p_text",
    "percent",
    "plain_p",
    "plural",
    "small_cell",
]

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MISSING = "–"


def number(value: float | int | None, digits: int = 3) -> str:
    """Write a number with `digits` significant digits, without exponent between 0.001 and 100 000.

    >>> number(0.04567), number(12345.6), number(-3e-9), number(None)
    ('0.0457', '12346', '−3.00 × 10⁻⁹', '–')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e6):
        return f"{int(value)}".replace("-", "−")
    # Rounded first: 0.9996 has its third digit where 1.00 has it.
    size = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if -3 <= size < 5:
        return f"{value:.{max(0, digits - 1 - size)}f}".replace("-", "−")
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}".replace("-", "−")


def number_cell(value: float | int | None, digits: int = 3) -> Cell:
    """Return :func:`number` in a cell that sorts by its value."""
    known = value is not None and math.isfinite(value)
    return Cell(number(value, digits), float(value) if known and value is not None else None)


def count(value: int) -> str:
    """Write a count with thin spaces between thousands.

    >>> count(1234567)
    '1\u202f234\u202f567'
    """
    return f"{value:,}".replace(",", "\u202f")


def plural(value: int, one: str, many: str = "") -> str:
    """Write a count and its noun.

    >>> plural(1, "subject"), plural(2, "study", "studies")
    ('1 subject', '2 studies')
    """
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def interval(
    estimate: float | None,
    lower: float | None,
    upper: float | None,
    digits: int = 2,
    scale: float = 1.0,
    unit: str = "",
) -> str:
    """Write an estimate with its interval, all with `digits` decimals.

    >>> interval(0.6543, 0.58, 0.71)
    '0.65 (0.58–0.71)'
    """
    if estimate is None or not math.isfinite(estimate):
        return MISSING

    def one(value: float | None) -> str:
        return "?" if value is None or not math.isfinite(value) else f"{value * scale:.{digits}f}".replace("-", "−")

    join = " to " if lower is not None and lower < 0 else "–"
    return f"{one(estimate)}{unit} ({one(lower)}{join}{one(upper)}{unit})"


def interval_cell(estimate: float | None, lower: float | None, upper: float | None) -> Cell:
    """Return :func:`interval` in a cell that sorts by the estimate."""
    return Cell(interval(estimate, lower, upper), estimate)


def percent(fraction: float | None, digits: int = 0) -> str:
    """Write a fraction in percent."""
    return MISSING if fraction is None or not math.isfinite(fraction) else f"{100 * fraction:.{digits}f} %"


def _scientific(neg_log_10: float) -> tuple[str, int]:
    exponent = math.floor(-neg_log_10)
    mantissa = f"{10 ** (-neg_log_10 - exponent):.1f}"
    return ("1.0", exponent + 1) if mantissa == "10.0" else (mantissa, exponent)


def plain_p(neg_log_10: float | None) -> str:
    """Write a p-value of at least 0.001 as a decimal; smaller ones give the empty string."""
    if neg_log_10 is None or math.isnan(neg_log_10):
        return MISSING
    return f"{10**-neg_log_10:#.2g}" if neg_log_10 <= 3 else ""


def p_text(neg_log_10: float | None) -> str:
    """Write a p-value from −log10 p, with unicode superscripts; never computes 10**−x below 0.001.

    >>> p_text(1.5), p_text(411.5), p_text(None)
    ('0.032', '3.2 × 10⁻⁴¹²', '–')
    """
    if plain := plain_p(neg_log_10):
        return plain
    if neg_log_10 is None or math.isinf(neg_log_10):
        return "0"
    mantissa, exponent = _scientific(neg_log_10)
    return f"{mantissa} × 10{str(exponent).translate(_SUPERSCRIPT)}"


def p_html(neg_log_10: float | None) -> Markup:
    """Write a p-value as HTML with a superscript element, which reads better than unicode at text size."""
    if (plain := plain_p(neg_log_10)) or neg_log_10 is None or math.isinf(neg_log_10):
        return Markup("{}").format(plain or "0")
    mantissa, exponent = _scientific(neg_log_10)
    return Markup("{} × 10<sup>{}</sup>").format(mantissa, f"−{-exponent}")


def p_cell(neg_log_10: float | None) -> Cell:
    """Return :func:`p_html` in a cell that sorts by −log10 p, smallest p last."""
    return Cell(p_html(neg_log_10), neg_log_10)


def small_cell(value: float | None) -> Cell:
    """Return a q-value or an adjusted p-value, which are stored as such, in a cell written as the p-values are."""
    if value is None or math.isnan(value):
        return Cell(MISSING)
    if value <= 0:  # underflowed where it was computed: only the bound is known
        return Cell(Markup("&lt; 10<sup>−300</sup>"), 0.0)
    return Cell(p_html(-math.log10(value)), value)
