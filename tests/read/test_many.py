import shutil

import numpy as np
import polars as pl
import pytest

from plink2 import needs_plink2, plink2, sexed
from radiolocus.associate.scan import scan
from radiolocus.errors import FormatError, TableError
from radiolocus.genome.control import QcOptions, control
from radiolocus.genome.qc import GenotypeOptions
from radiolocus.read.genotype_files import open_genotypes
from radiolocus.read.plink import PlinkSource, write_plink


def split(folder, source, chromosomes=("1", "X", "Y", "XY", "MT"), order=None):
    """The variants of each chromosome in a bed set of their own, samples in an order of their own."""
    dosage = source.read(np.arange(len(source.sample_ids)), 0, source.variants.height).dosage
    for name in chromosomes:
        here = (source.variants["chromosome"] == name).to_numpy()
        rows = np.arange(dosage.shape[1]) if order is None else np.array(order(name))
        people = pl.DataFrame({"individual_id": source.sample_ids, "sex": source.sex.astype(str)})[rows]
        write_plink(folder / f"chr{name}", dosage[here][:, rows], source.variants.filter(here), people)


def test_a_file_a_chromosome_is_the_whole_file(tmp_path):
    source = sexed(tmp_path)
    split(tmp_path, source)
    many = open_genotypes(tmp_path / "chr@")
    assert many.hard
    assert many.sample_ids == source.sample_ids
    assert len(many.files) == 15
    assert many.notes[0] == "chr@: 5 files are read as one (chr1.bed, chrX.bed, chrXY.bed, chrY.bed, chrMT.bed)"
    place = {v: i for i, v in enumerate(source.variants["variant_id"])}
    at = np.array([place[v] for v in many.variants["variant_id"]])
    rows = np.array([5, 0, 119, 7])
    expected = source.read(rows, 0, 120).dosage[at]
    np.testing.assert_array_equal(many.read(rows, 0, 999).dosage, expected)
    parts = [block.dosage for block in many.blocks(rows, 13)]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    whole = source.calls(rows, 0, 120)
    for start, stop in ((0, 120), (25, 75), (30, 40), (50, 50)):
        for plane, found in zip(whole, many.calls(rows, start, stop), strict=True):
            np.testing.assert_array_equal(found, plane[at][start:stop])
    assert open_genotypes(tmp_path / "chr@.bed").variants.equals(many.variants)


def test_scan_and_control_do_not_know_the_difference(tmp_path):
    source = sexed(tmp_path)
    rng = np.random.default_rng(0)
    split(tmp_path, source, order=lambda name: rng.permutation(120) if name != "1" else range(120))
    many = open_genotypes(tmp_path / "chr@.bed")
    assert any("another order in chrX.bed, chrXY.bed, chrY.bed, chrMT.bed" in note for note in many.notes)
    table = pl.DataFrame({"subject": source.sample_ids, "y": rng.normal(size=120)})
    options = GenotypeOptions(min_maf=0, min_call_rate=0)
    one, other = (scan(s, table, None, options).sumstats.sort("variant_id") for s in (source, many))
    assert one.equals(other)
    settings = QcOptions(min_call_rate=0.5, min_sample_call_rate=0.5, components=2, min_hwe_p=0, prune_r2=0.5)
    found = [control(s, settings) for s in (source, many)]
    assert found[0].variants.sort("variant_id").equals(found[1].variants.sort("variant_id"))
    assert (
        found[0]
        .samples.drop("expected_homozygous", "f", "f_x", "PC1", "PC2")
        .equals(found[1].samples.drop("expected_homozygous", "f", "f_x", "PC1", "PC2"))
    )


@needs_plink2
def test_files_of_several_formats_and_of_fewer_samples(tmp_path):
    source = sexed(tmp_path)
    split(tmp_path, source, order=lambda name: range(120) if name != "Y" else range(20, 110))
    plink2(tmp_path / "chrX", tmp_path / "chrX", "--make-pgen")
    for ending in (".bed", ".bim", ".fam"):
        (tmp_path / f"chrX{ending}").unlink()
    many = open_genotypes(tmp_path / "chr@")
    assert [type(part).__name__ for part in many.parts][:2] == ["PlinkSource", "PgenSource"]
    assert many.sample_ids == source.sample_ids[20:110]
    lost = [note for note in many.notes if "left out" in note]
    assert lost == ["chr@: 30 samples are left out because they are not in every file (s0, s1, s10, s11, s110, ...)"]


def test_files_that_do_not_belong_together(tmp_path):
    source = sexed(tmp_path)
    split(tmp_path, source, ("1", "X"))
    fam = tmp_path / "chrX.fam"
    lines = fam.read_text().splitlines()
    fam.write_text("".join("\t".join([*line.split()[:4], "1", "-9"]) + "\n" for line in lines))
    with pytest.raises(TableError) as caught:
        open_genotypes(tmp_path / "chr@.bed")
    women = int((source.sex == 2).sum())
    assert f"disagree about the sex of {women} samples" in caught.value.got
    assert caught.value.where == "chr@.bed"
    fam.write_text("".join(f"0\tother{i}\t0\t0\t0\t-9\n" for i in range(120)))
    with pytest.raises(TableError, match="no sample is in all of 2 files") as caught:
        open_genotypes(tmp_path / "chr@.bed")
    assert "s0, s1, s2" in caught.value.got
    assert "other0" in caught.value.got
    assert "fid_iid" in caught.value.todo


def test_no_file_and_two_of_one_chromosome(tmp_path):
    with pytest.raises(FormatError, match="for any chromosome") as caught:
        open_genotypes(tmp_path / "chr@.bed")
    assert "@ stands for 1 to 22" in caught.value.allowed
    split(tmp_path, sexed(tmp_path), ("1", "X"))
    for ending in (".bed", ".bim", ".fam"):
        shutil.copy(tmp_path / f"chrX{ending}", tmp_path / f"chr23{ending}")
    with pytest.raises(FormatError) as caught:
        open_genotypes(tmp_path / "chr@.bed")
    assert caught.value.got == "chrX.bed, chr23.bed are of one chromosome"


def test_a_chromosome_and_an_id_in_two_files_are_said(tmp_path):
    source = sexed(tmp_path)
    split(tmp_path, source, ("1", "X"))
    for ending in (".bed", ".bim", ".fam"):
        shutil.copy(tmp_path / f"chr1{ending}", tmp_path / f"chr2{ending}")
    notes = open_genotypes(tmp_path / "chr@").notes
    assert any("chromosome 1 stands in more than one file" in note for note in notes)
    assert any("30 variant ids stand in more than one file (v0, v1, v10" in note for note in notes)
    assert isinstance(open_genotypes(tmp_path / "chr1"), PlinkSource)
