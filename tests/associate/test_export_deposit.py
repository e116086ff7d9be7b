"""A deposit judged by the validator of the GWAS Catalog, and read back by our own reader.

The validator (PyPI: gwas-sumstats-tools) wants older libraries than ours, so it lives in an environment of its own:
``RADIOLOCUS_GWAS_SSF`` names its Python.
"""

from __future__ import annotations

import os
import subprocess

import numpy as np
import polars as pl
import pytest

from radiolocus.associate.export import export
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.query import query
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.read.sumstats import read_sumstats

_JUDGE = """
import sys
from pathlib import Path
import yaml
from gwas_sumstats_tools.schema.metadata import SumStatsMetadata
from gwas_sumstats_tools.validate import Validator
table, meta = map(Path, sys.argv[1:])
valid, message = Validator(sumstats_file=table, pval_zero=False, minimum_rows=200, sample_size=1000).validate()
SumStatsMetadata(**yaml.safe_load(meta.read_text()))
sys.exit(None if valid else message)
"""


@pytest.fixture(scope="module")
def deposit(tmp_path_factory):
    root = tmp_path_factory.mktemp("deposit")
    rng = np.random.default_rng(3)
    m, n = 220, 50
    variants = pl.DataFrame(
        {
            "chromosome": [str(1 + i // 10) for i in range(m)], "variant_id": [f"rs{i}" for i in range(m)],
            "base_pair_location": np.arange(m) + 1, "effect_allele": ["A"] * m, "other_allele": ["G", "ACT"] * (m // 2),
        }
    )  # fmt: skip
    names = [f"s{i}" for i in range(n)]
    write_plink(root / "g", rng.binomial(2, 0.4, (m, n)).astype(np.float32), variants, names)
    frame = pl.DataFrame({"subject": names, "PT:mean": rng.normal(size=n)})
    options = GenotypeOptions(min_maf=0, min_call_rate=0)
    gwas(PlinkSource(root / "g"), frame, None, root / "out", options=options, keep=GwasOptions(p_value=1.0))
    return root, export(root / "out", "PT:mean", root / "mean", assembly="GRCh38", ancestry="European").files


def test_the_catalog_accepts_it(deposit):
    judge = os.environ.get("RADIOLOCUS_GWAS_SSF")
    if judge is None:
        pytest.skip("RADIOLOCUS_GWAS_SSF names no Python with gwas-sumstats-tools, numpy<2, six")
    ran = subprocess.run([judge, "-c", _JUDGE, *deposit[1]], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_it_is_read_back_as_it_was(deposit):
    root, files = deposit
    found = read_sumstats(files[0])
    assert found.problems == ()
    rows = query(root / "out", phenotype=["PT:mean"])
    columns = [name for name in found.rows.columns if name != "statistic"]
    assert found.rows.select(columns).equals(rows.select(columns))
