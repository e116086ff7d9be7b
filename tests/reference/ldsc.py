"""Numbers of the program LDSC for made-up statistics: ``python tests/reference/ldsc.py`` where LDSC 2.0.1 is installed.

What it prints stands in ``tests/stats/test_ldsc.py``. LDSC is GPL and is no dependency; the inputs come from a seed.
"""

import numpy as np


def made_up(variants=4000, seed=11, *, heritability=0.4, confounding=0.08, total=50_000.0):
    """χ², LD scores, weights and subjects, in the order of a genome."""
    rng = np.random.default_rng(seed)
    score = np.exp(np.convolve(rng.normal(size=variants + 40), np.ones(41) / 6, "valid")) * 20 + 1
    weight = score * rng.uniform(0.3, 0.9, variants)
    n = np.round(rng.uniform(9_000, 11_000, variants))
    expected = 1 + confounding + heritability * n * score / total
    return expected * rng.chisquare(1, variants), score, weight, n, total


def two_phenotypes(variants=3000, seed=5):
    """z of two phenotypes of the same genome, LD scores, weights, subjects."""
    rng = np.random.default_rng(seed)
    _, score, weight, _, total = made_up(variants, seed)
    n1, n2 = rng.uniform(9_000, 11_000, (2, variants)).round()
    scale = np.sqrt(score / total)
    shared, own = rng.normal(size=(2, variants))
    z1 = np.sqrt(n1 * 0.5) * scale * shared + rng.normal(size=variants)
    z2 = np.sqrt(n2 * 0.3) * scale * (0.6 * shared + 0.8 * own) + rng.normal(size=variants)
    return z1, z2, score, weight, n1, n2, total


def main():
    from ldscore import regressions

    for name, options in (
        ("two step", {"twostep": 30}),
        ("small two step", {"twostep": 8}),
        ("fixed", {"intercept": 1.0}),
        ("fixed off 1", {"intercept": 1.1}),
    ):
        chi2, score, weight, n, total = (np.asarray(part, dtype=float).reshape(-1, 1) for part in made_up())
        keep = chi2.ravel() < max(0.001 * n.max(), 80)
        part = [values[keep] for values in (chi2, score, weight, n)]
        found = regressions.Hsq(*part, total.reshape(1, 1), n_blocks=200, **options)
        numbers = [found.tot, found.tot_se, found.intercept]
        numbers += [getattr(found, "intercept_se", 0.0)]
        print(name, [float(f"{float(np.ravel(value)[0]):.10g}") if value != "NA" else 0.0 for value in numbers])
    z1, z2, score, weight, n1, n2, total = (np.asarray(part, dtype=float).reshape(-1, 1) for part in two_phenotypes())
    found = regressions.RG(z1, z2, score, weight, n1, n2, total.reshape(1, 1), None, None, None, n_blocks=200)
    numbers = [found.rg_ratio, found.rg_se, found.gencov.tot, found.gencov.tot_se]
    numbers += [found.gencov.intercept, found.gencov.intercept_se]
    print("rg", [float(f"{float(np.ravel(value)[0]):.10g}") for value in numbers])


if __name__ == "__main__":
    main()
