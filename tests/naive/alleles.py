"""Alleles of two tables compared one by one, with the strand turned letter by letter."""

from __future__ import annotations

COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


def outcome_of(effect, other, reference_effect, reference_other, frequency=None, reference_frequency=None,
               palindromic="set_aside", margin=0.08, flips=True):  # fmt: skip
    """Outcome and sign of one pair."""
    alleles = [effect, other, reference_effect, reference_other]
    if any(a is None or a.strip().upper() in ("", "0", ".", "NA", "-") for a in alleles):
        return "missing", 0
    e, o, big_e, big_o = (a.strip().upper() for a in alleles)
    if e == o or big_e == big_o:
        return "missing", 0
    if {e, o} in ({"A", "T"}, {"C", "G"}) and {e, o} == {big_e, big_o}:
        written = 1 if e == big_e else -1
        if palindromic == "as_written":
            sign = written
        elif palindromic == "frequency" and None not in (frequency, reference_frequency) and (
            abs(frequency - 0.5) > margin and abs(reference_frequency - 0.5) > margin
        ):  # fmt: skip
            sign = 1 if (frequency > 0.5) == (reference_frequency > 0.5) else -1
        else:
            return "palindromic", 0
        return ("palindromic_same", 1) if sign == 1 else ("palindromic_swapped", -1)
    if (e, o) == (big_e, big_o):
        return "same", 1
    if (e, o) == (big_o, big_e):
        return "swapped", -1
    if flips and all(a in COMPLEMENT for a in (e, o, big_e, big_o)):
        e, o = COMPLEMENT[e], COMPLEMENT[o]
        if (e, o) == (big_e, big_o):
            return "flipped", 1
        if (e, o) == (big_o, big_e):
            return "flipped_swapped", -1
    return "mismatch", 0
