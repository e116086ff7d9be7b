"""Small PLINK files for tests, from a table of counts."""

from __future__ import annotations

import numpy as np
import polars as pl

from radiolocus.read.plink import PlinkSource, write_plink


def written(folder, dosage, chromosomes=None, positions=None):
    count, people = np.shape(dosage)
    table = pl.DataFrame(
        {
            "chromosome": chromosomes or ["1"] * count,
            "variant_id": [f"v{i}" for i in range(count)],
            "base_pair_location": positions or list(range(1, count + 1)),
            "effect_allele": ["A"] * count,
            "other_allele": ["C"] * count,
        }
    )
    write_plink(folder / "g", np.asarray(dosage, dtype=float), table, [f"s{i}" for i in range(people)])
    return PlinkSource(folder / "g")
