"""Lists of variants and samples and a table of sex: the file is read as if it held no others."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plink2 import sexed
from radiolocus.associate.genomewide import gwas
from radiolocus.associate.scan import scan
from radiolocus.errors import FormatError, TableError
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.genotypes import runs_of
from radiolocus.read.plink import PlinkSource, write_plink
from radiolocus.read.selection import (
    SelectedSource,
    listed_samples,
    listed_variants,
    read_sex,
    select_variants,
    sex_codes,
    with_sex,
)


def whole(source):
    return source.read(np.arange(len(source.sample_ids)), 0, source.variants.height).dosage


def ids_of(source, place):
    return source.variants["variant_id"].gather(place).to_list()


def written(folder, source, place):
    """A file that truly holds these variants and no others."""
    people = pl.DataFrame({"individual_id": source.sample_ids, "sex": source.sex.astype(str)})
    write_plink(folder / "fewer", whole(source)[place], source.variants[place], people)
    return PlinkSource(folder / "fewer")


@pytest.mark.parametrize("place", [[0, 1, 2, 90], [3, 60, 61, 62, 119], list(range(0, 120, 2)), [7]])
def test_a_part_is_the_file_that_holds_no_others(tmp_path, place):
    source = sexed(tmp_path)
    fewer, rows = written(tmp_path, source, place), np.array([5, 0, 119, 7])
    coded = select_variants(source, ids_of(source, place))
    for found in (coded, SelectedSource(source, np.array(place))):
        assert found.hard
        assert found.variants.equals(fewer.variants)
        np.testing.assert_array_equal(found.read(rows, 0, 999).dosage, fewer.read(rows, 0, 999).dosage)
        np.testing.assert_array_equal(found.read(rows, 1, 3).dosage, fewer.read(rows, 1, 3).dosage)
        for plane, other in zip(found.calls(rows, 0, 3), fewer.calls(rows, 0, 3), strict=True):
            np.testing.assert_array_equal(plane, other)
    np.testing.assert_array_equal(coded.packed(0, len(place)), source.packed(0, 120)[place])
    again = select_variants(coded, ids_of(source, place[:1]), take_out=True) if len(place) > 1 else coded
    assert again.variants["variant_id"].to_list() == ids_of(source, place[1:] or place)
    assert f"{len(place)} of 120 variants are taken" in coded.notes[-1]


def test_what_lies_far_apart_is_read_by_pieces():
    place = np.array([0, 1, 3, 1000, 1002, 5000])
    assert [(first, last) for first, last, _ in runs_of(place)] == [(0, 4), (1000, 1003), (5000, 5001)]
    back = np.concatenate([first + index for first, _, index in runs_of(place)])
    np.testing.assert_array_equal(back, place)
    assert runs_of(place[:0]) == []


def test_a_scan_of_a_part_is_that_of_the_smaller_file(tmp_path):
    source = sexed(tmp_path)
    place = [*range(0, 40, 3), *range(40, 120)]
    names, rng = source.sample_ids, np.random.default_rng(1)
    pheno = pl.DataFrame({"subject": names, "a": rng.normal(size=len(names)), "b": rng.normal(size=len(names))})
    options = GenotypeOptions(min_maf=0, min_call_rate=0.5)
    fewer, part = written(tmp_path, source, place), select_variants(source, ids_of(source, place))
    wanted, found = scan(fewer, pheno, None, options), scan(part, pheno, None, options)
    assert_frame_equal(found.sumstats, wanted.sumstats, check_exact=True)
    assert_frame_equal(found.variants, wanted.variants, check_exact=True)
    whole_file = gwas(source, pheno, None, tmp_path / "out", options=options)
    assert whole_file.variants > gwas(part, pheno, None, tmp_path / "part", options=options).variants
    # another selection of the same file is another scan, also into the same folder
    with pytest.raises(Exception, match="another study"):
        gwas(part, pheno, None, tmp_path / "out", options=options)


def test_sex_of_a_table_is_that_of_the_fam(tmp_path):
    source = sexed(tmp_path)
    unknown = pl.DataFrame({"individual_id": source.sample_ids})
    write_plink(tmp_path / "nosex", whole(source), source.variants, unknown)
    bare = PlinkSource(tmp_path / "nosex")
    names, rng = source.sample_ids, np.random.default_rng(1)
    pheno = pl.DataFrame({"subject": names, "a": rng.normal(size=len(names))})
    options = GenotypeOptions(min_maf=0, min_call_rate=0.5)
    assert "X" not in scan(bare, pheno, None, options).sumstats["chromosome"].to_list()
    table = pl.DataFrame({"subject": names, "sex": source.sex})
    told = with_sex(bare, table.sample(fraction=1, shuffle=True, seed=1), where="sex.tsv")
    np.testing.assert_array_equal(told.sex, source.sex)
    np.testing.assert_array_equal(bare.sex, 0)
    wanted = scan(source, pheno, None, options).sumstats
    assert {"X", "Y"} <= set(wanted["chromosome"])
    assert_frame_equal(scan(told, pheno, None, options).sumstats, wanted, check_exact=True)
    assert f"sex.tsv: sex of {int((source.sex > 0).sum())} of {len(names)} samples" in told.notes
    # where the table does not know, the file does; where both do, the table rules and it is said
    turned = with_sex(source, pl.DataFrame({"subject": names[:1], "sex": [3 - max(source.sex[0], 1)]}))
    np.testing.assert_array_equal(turned.sex[1:], source.sex[1:])
    assert turned.sex[0] == 3 - max(source.sex[0], 1)
    assert turned.selection != told.selection != bare.selection == ""


def test_tables_of_sex(tmp_path):
    file = tmp_path / "sex.tsv"
    file.write_text("#FID\tIID\tSEX\tage\nf\ta\tM\t50\nf\tb\t2\t51\nf\tc\tNA\t52\n")
    assert read_sex(file).rows() == [("a", 1), ("b", 2), ("c", 0)]
    assert read_sex(file, sample_id="fid_iid")["subject"].to_list() == ["f_a", "f_b", "f_c"]
    file.write_text("IID,age,sex\na,50,female\nb,51,-9\n")
    assert read_sex(file).rows() == [("a", 2), ("b", 0)]
    file.write_text("IID\tgender\na\tF\n")
    with pytest.raises(FormatError, match="no column SEX"):
        read_sex(file)
    with pytest.raises(TableError, match=r"sex 'x'.*male, female"):
        sex_codes(pl.Series(["m", "x"]), "here")
    source = PlinkSource(sexed(tmp_path).path)
    with pytest.raises(TableError, match=f"sex of none of the {len(source.sample_ids)} samples"):
        with_sex(source, pl.DataFrame({"subject": ["nobody"], "sex": [1]}))
    with pytest.raises(TableError, match="stand more than once: a"):
        with_sex(source, pl.DataFrame({"subject": ["a", "a"], "sex": [1, 2]}))


def test_lists(tmp_path):
    file = tmp_path / "list.txt"
    file.write_text("#IID\na\nb\n\n")
    assert listed_samples(file) == ["a", "b"]
    file.write_text("FID IID\nf a\nf\tb\n")
    assert listed_samples(file) == ["a", "b"]
    assert listed_samples(file, sample_id="fid_iid") == ["f_a", "f_b"]
    file.write_text("rs1\nrs2 0.3\n")
    assert listed_variants(file) == ["rs1", "rs2"]
    file.write_text("\n")
    with pytest.raises(FormatError, match="an empty list"):
        listed_variants(file)
    with pytest.raises(TableError, match="none of the 120 variants is left"):
        select_variants(sexed(tmp_path), ["nothing"])
