import numpy as np
import polars as pl
import pytest

from naive.genome_files import written
from plink2 import linked, needs_plink2, plink2
from radiolocus.errors import ConfigError, TableError
from radiolocus.genome.prune import PruneOptions, prune
from radiolocus.genome.quality import variant_quality
from radiolocus.read.plink import PlinkSource

WINDOWS = {
    "50 5 0.2": (["50", "5", "0.2"], PruneOptions(50, 5, 0.2, kilobases=False)),
    "200 7 0.05": (["200", "7", "0.05"], PruneOptions(200, 7, 0.05, kilobases=False)),
    "2 1 0.5": (["2", "1", "0.5"], PruneOptions(2, 1, 0.5, kilobases=False)),
    "100kb 0.1": (["100kb", "0.1"], PruneOptions(100, 1, 0.1)),
    "1000kb 0.5": (["1000kb", "0.5"], PruneOptions(1000, 1, 0.5)),
}


@needs_plink2
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", ["hapmap", "linked"])
def test_the_same_variants_as_plink2(name, window, data, tmp_path):
    source = PlinkSource(data("hapmap") / "plinkhapmap") if name == "hapmap" else linked(tmp_path, variants=3000)
    arguments, options = WINDOWS[window]
    plink2(source.path.removesuffix(".bed"), tmp_path / "o", "--autosome", "--indep-pairwise", *arguments)
    theirs = set((tmp_path / "o.prune.in").read_text().split())
    rows = np.arange(len(source.sample_ids))
    quality = variant_quality(source, rows, source.sex)
    frequency = quality["effect_allele_frequency"].fill_null(0).to_numpy()
    kept = prune(source, rows, np.arange(source.variants.height), frequency, options)
    ours = set(source.variants["variant_id"].gather(kept))
    # PLINK 2 keeps a variant that does not vary when its window holds nothing else; nothing is learnt from it
    constant = set(quality.filter(pl.col("minor_allele_frequency") == 0)["variant_id"])
    assert ours == theirs - constant
    assert theirs & constant == set() or options.kilobases
    assert 100 < len(ours) < source.variants.height - 30


def test_a_part_of_the_variants_far_apart_in_the_file(tmp_path):
    source = linked(tmp_path, variants=4000, samples=60)
    rows = np.arange(60)
    frequency = variant_quality(source, rows, source.sex)["effect_allele_frequency"].to_numpy()
    chosen = np.concatenate([np.arange(0, 30), np.arange(1200, 1330, 3), np.arange(3900, 4000)])
    options = PruneOptions(20, 1, 0.3, kilobases=False)
    kept = prune(source, rows, chosen, frequency, options)
    assert set(kept) < set(chosen)
    assert 20 < kept.size < chosen.size
    reread = source.read(rows, 0, 4000).dosage[chosen]
    part = written(tmp_path, reread, chromosomes=source.variants["chromosome"].gather(chosen).to_list())
    again = prune(part, rows, np.arange(chosen.size), frequency[chosen], options)
    np.testing.assert_array_equal(chosen[again], kept)


def test_unsorted_positions_are_refused(tmp_path):
    source = written(tmp_path, np.random.default_rng(1).integers(0, 3, (4, 30)), positions=[5, 9, 7, 11])
    with pytest.raises(TableError) as caught:
        prune(source, np.arange(30), np.arange(4), np.full(4, 0.5), PruneOptions())
    error = caught.value
    assert error.got == "v2 at 7 stands after v1 at 9"
    assert error.where == "chromosome 1"
    assert "order of their positions" in error.allowed
    assert "--sort-vars" in error.todo


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"window": 0}, "at least 2 variants, or 1 kilobase"),
        ({"window": 1, "kilobases": False}, "at least 2 variants"),
        ({"step": 2}, "1 for a window in kilobases"),
        ({"step": 0, "kilobases": False}, "1 or more"),
        ({"max_r2": 1.0}, "below 1"),
    ],
)
def test_options_that_cannot_be_followed(options, told):
    with pytest.raises(ConfigError) as caught:
        PruneOptions(**options)
    assert told in caught.value.allowed
    assert caught.value.where == "LD pruning"
