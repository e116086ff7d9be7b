"""Cohorts combined one variant at a time, by the textbook."""

from __future__ import annotations

import math

from naive.alleles import outcome_of


def combined(cohorts, palindromic="frequency", limit=0.2):
    """Cohorts are lists of dicts; gives {(position, alleles of the first cohort): pooled numbers}."""
    known: dict[tuple, list] = {}
    for number, rows in enumerate(cohorts):
        before = {key: value for key, value in known.items() if value}
        for row in rows:
            here = [k for k in before if k[0] == row["base_pair_location"]]
            fits = []
            for key in here:
                first = before[key][0]
                outcome, sign = outcome_of(
                    row["effect_allele"], row["other_allele"], key[1], key[2], row["effect_allele_frequency"],
                    first["f"], palindromic,
                )  # fmt: skip
                fits.append((outcome, sign, key))
            good = [x for x in fits if x[1]]
            if good:
                (_, sign, key) = good[0]
            elif any(x[0] == "palindromic" for x in fits):
                continue
            else:
                sign, key = 1, (row["base_pair_location"], row["effect_allele"], row["other_allele"])
            f = row["effect_allele_frequency"]
            entry = {
                "c": number,
                "b": sign * row["beta"],
                "s": row["standard_error"],
                "n": row["n"],
                "f": f if sign > 0 else 1 - f,
            }
            known.setdefault(key, []).append(entry)
    return {key: pooled(entries, limit) for key, entries in known.items()}


def pooled(entries, limit):
    """Fixed effect, Q, DerSimonian and Laird of what is left when frequencies were compared."""
    f = sorted(e["f"] for e in entries)
    middle = f[len(f) // 2] if len(f) % 2 else (f[len(f) // 2 - 1] + f[len(f) // 2]) / 2
    left = [e for e in entries if len(f) < 2 or abs(e["f"] - middle) * (2 if len(f) == 2 else 1) <= limit]
    if len(left) < 2:
        return None
    w = [1 / e["s"] ** 2 for e in left]
    mean = sum(a * e["b"] for a, e in zip(w, left, strict=True)) / sum(w)
    q = sum(a * (e["b"] - mean) ** 2 for a, e in zip(w, left, strict=True))
    tau2 = max(0.0, (q - (len(left) - 1)) / (sum(w) - sum(a * a for a in w) / sum(w)))
    v = [1 / (e["s"] ** 2 + tau2) for e in left]
    return {
        "beta": mean, "standard_error": math.sqrt(1 / sum(w)), "q": q, "tau2": tau2,
        "random_beta": sum(a * e["b"] for a, e in zip(v, left, strict=True)) / sum(v),
        "n": sum(e["n"] for e in left), "cohorts": len(left),
        "effect_allele_frequency": sum(e["n"] * e["f"] for e in left) / sum(e["n"] for e in left),
        "direction": {e["c"]: "+" if e["b"] > 0 else "-" for e in left},
    }  # fmt: skip
