"""A scan of linked genotypes with planted effects, for what follows a scan."""

from __future__ import annotations

import numpy as np
import polars as pl

from plink2 import linked
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.genome.qc import GenotypeOptions


def planted(folder, *, samples=300, variants=900, phenotypes=4, causal=6, effect=0.5, seed=3, keep=None, missing=0.01):
    """Returns the folder of results, the genotypes, and the phenotypes; phenotype i has the first causal variants."""
    source = linked(folder, samples=samples, variants=variants, chromosomes=3, missing=missing, seed=seed)
    rng = np.random.default_rng(seed)
    dosage = source.read(np.arange(samples), 0, variants).dosage
    dosage = np.where(np.isnan(dosage), np.nanmean(dosage, axis=1, keepdims=True), dosage)
    spread = dosage.std(axis=1)
    chosen = rng.choice(np.flatnonzero(spread > 0.4), causal, replace=False)
    values = rng.normal(size=(samples, phenotypes))
    for i in range(phenotypes):
        for v in chosen[: causal - i]:
            values[:, i] += effect * (dosage[v] - dosage[v].mean()) / spread[v]
    names = list(source.sample_ids)
    table = pl.DataFrame({"subject": names} | {f"y{i}": values[:, i] for i in range(phenotypes)})
    root = folder / "scan"
    options = GenotypeOptions(min_maf=0.01, min_call_rate=0.5)
    gwas(source, table, None, root, options=options, keep=keep or GwasOptions(p_value=1))
    return root, source, table
