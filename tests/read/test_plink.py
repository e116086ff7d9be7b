import shutil
import subprocess

import numpy as np
import polars as pl
import pytest

from naive import genotype as naive
from radiolocus.errors import FormatError, TableError
from radiolocus.read.plink import PlinkSource, write_plink

plink2 = pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed (Debian package plink2)")


def variants(count, chromosome="1"):
    return pl.DataFrame(
        {
            "chromosome": [chromosome] * count,
            "variant_id": [f"rs{i}" for i in range(count)],
            "base_pair_location": [1000 * (i + 1) for i in range(count)],
            "effect_allele": ["A"] * count,
            "other_allele": ["G"] * count,
        }
    )


@pytest.fixture
def small(tmp_path):
    rng = np.random.default_rng(5)
    dosage = rng.choice(np.array([0, 1, 2, np.nan], dtype=np.float32), p=[0.4, 0.3, 0.2, 0.1], size=(11, 7))
    write_plink(tmp_path / "cohort.v1", dosage, variants(11), [f"S{i}" for i in range(7)])
    return tmp_path / "cohort.v1", dosage


def refused(error, path, **options):
    with pytest.raises(error) as caught:
        PlinkSource(path, **options)
    return caught.value


def rewrite(prefix, extension, change):
    file = prefix.with_name(prefix.name + extension)
    file.write_bytes(change(file.read_bytes()))
    return file


def test_what_was_written_is_read_from_prefix_or_any_file(small):
    prefix, dosage = small
    for path in (prefix, str(prefix), *(f"{prefix}{e}" for e in (".bed", ".bim", ".fam"))):
        source = PlinkSource(path)
        assert source.sample_ids == tuple(f"S{i}" for i in range(7))
        assert source.variants.equals(variants(11))
        np.testing.assert_array_equal(source.read(np.arange(7), 0, 11).dosage, dosage)
    assert source.notes == ()
    assert source.path.endswith("cohort.v1.bed")
    assert source.samples["family_id"].unique().to_list() == ["0"]


def test_rows_are_taken_in_the_order_asked_for_and_blocks_cover_everything_once(small):
    prefix, dosage = small
    source = PlinkSource(prefix)
    rows = np.array([6, 0, 3])
    for size in (1, 3, 4, 11, 100):
        blocks = list(source.blocks(rows, size))
        np.testing.assert_array_equal(np.concatenate([b.dosage for b in blocks]), dosage[:, rows])
        assert sum((b.variant_id for b in blocks), ()) == tuple(f"rs{i}" for i in range(11))
    later = list(source.blocks(rows, 4, start=5))
    np.testing.assert_array_equal(np.concatenate([b.dosage for b in later]), dosage[5:][:, rows])
    assert later[0].position.tolist() == [6000, 7000, 8000, 9000]
    assert later[0].position.dtype == np.int64
    assert later[0].dosage.dtype == np.float32
    assert set(later[0].effect_allele + later[0].other_allele) == {"A", "G"}
    assert source.read(rows, 11, 20).dosage.shape == (0, 3)


def test_a_row_outside_the_file_is_a_mistake(small):
    source = PlinkSource(small[0])
    for rows in ([7], [-1, 2]):
        with pytest.raises(IndexError, match="of a file of 7 samples"):
            source.read(np.array(rows), 0, 1)


def test_real_file_against_the_obvious_twin(data):
    folder = data("hapmap")
    source = PlinkSource(folder / "plinkhapmap")
    expected = naive.decode((folder / "plinkhapmap.bed").read_bytes(), 60, 5000)
    np.testing.assert_array_equal(source.read(np.arange(60), 0, 5000).dosage, np.array(expected, dtype=np.float32))
    assert source.notes == ("plinkhapmap.bim: chromosome codes 23 are written 1–22, X, Y, XY, MT",)


def test_real_file_is_written_back_byte_for_byte(data, tmp_path):
    source = PlinkSource(data("hapmap") / "plinkhapmap")
    block = source.read(np.arange(60), 0, 5000)
    write_plink(tmp_path / "again", block.dosage, source.variants, source.samples)
    assert (tmp_path / "again.bed").read_bytes() == (data("hapmap") / "plinkhapmap.bed").read_bytes()
    again = PlinkSource(tmp_path / "again")
    assert again.variants.equals(source.variants)
    assert again.samples.equals(source.samples)


@plink2
def test_plink2_reads_the_same_counts(small, tmp_path):
    prefix, dosage = small
    (tmp_path / "alleles").write_text("".join(f"rs{i}\tA\n" for i in range(11)))
    command = ["plink2", "--bfile", prefix, "--export", "A", "--export-allele", tmp_path / "alleles"]
    subprocess.run([*command, "--out", tmp_path / "x"], check=True, capture_output=True)
    table = pl.read_csv(tmp_path / "x.raw", separator="\t", null_values="NA")
    assert table["IID"].to_list() == [f"S{i}" for i in range(7)]
    counts = table.select(pl.col("^rs.*$").cast(pl.Float32)).to_numpy().T
    np.testing.assert_array_equal(counts, dosage)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("chr1", "1"),
        ("23", "X"),
        ("24", "Y"),
        ("25", "XY"),
        ("26", "MT"),
        ("chrM", "MT"),
        ("x", "X"),
        ("0", "0"),
        ("HLA", "HLA"),
    ],
)
def test_chromosome_codes(tmp_path, code, name):
    write_plink(tmp_path / "c", np.zeros((1, 2)), variants(1, code), ["a", "b"])
    source = PlinkSource(tmp_path / "c")
    assert source.variants["chromosome"].to_list() == [name]
    assert bool(source.notes) == (code != name)


def test_wrong_magic(small):
    file = rewrite(small[0], ".bed", lambda b: b"PK" + b[2:])
    error = refused(FormatError, small[0])
    assert error.got == "the file begins with 50 4b 01"
    assert error.where == file.name
    assert error.allowed.startswith("6c 1b 01")
    assert "plink2 --make-bed" in error.todo


@pytest.mark.parametrize("left", [0, 2])
def test_a_bed_without_a_whole_header(small, left):
    rewrite(small[0], ".bed", lambda b: b[:left])
    assert "begins with" in refused(FormatError, small[0]).got


def test_sample_major(small):
    rewrite(small[0], ".bed", lambda b: b[:2] + b"\x00" + b[3:])
    error = refused(FormatError, small[0])
    assert "sample-major" in error.got
    assert "plink --make-bed" in error.todo
    rewrite(small[0], ".bed", lambda b: b[:2] + b"\x07" + b[3:])
    assert "unknown order (third byte 07)" in refused(FormatError, small[0]).got


def test_truncated_and_over_long(small):
    whole = rewrite(small[0], ".bed", lambda b: b[:-1]).stat().st_size + 1
    assert whole == 3 + 11 * 2
    error = refused(FormatError, small[0])
    assert error.got == "24 bytes, truncated: 1 bytes too few"
    assert error.allowed == "25 bytes for the 11 variants of the bim and the 7 samples of the fam (3 + 11 × 2)"
    assert "copy the three files again" in error.todo
    rewrite(small[0], ".bed", lambda b: b + b"\0\0\0\0")
    error = refused(FormatError, small[0])
    assert error.got == "28 bytes, over-long: 3 bytes too many"


def test_a_fam_or_a_bim_of_another_file_is_suspected(small):
    rewrite(small[0], ".fam", lambda b: b + b"".join(b"0 T%d 0 0 0 -9\n" % i for i in range(5)))
    error = refused(FormatError, small[0])
    assert "11 variants of the bim and the 12 samples of the fam" in error.allowed
    assert "the bed fits 5 to 8 samples with this bim" in error.todo
    rewrite(small[0], ".fam", lambda b: b"".join(b.splitlines(True)[:7]))
    rewrite(small[0], ".bim", lambda b: b"".join(b.splitlines(True)[:9]))
    assert "the bed fits 11 variants with this fam" in refused(FormatError, small[0]).todo


def test_a_bed_that_shrinks_while_it_is_read(small):
    source = PlinkSource(small[0])
    rewrite(small[0], ".bed", lambda b: b[:14])
    with pytest.raises(FormatError, match="ends inside variant 6"):
        source.read(np.arange(7), 2, 11)


@pytest.mark.parametrize(
    ("extension", "line", "text", "got"),
    [
        (".bim", 4, b"1 rs 0 5 A\n", "5 fields: '1 rs 0 5 A'"),
        (".bim", 2, b"\n", "0 fields: ''"),
        (".fam", 7, b"0 S6 0 0 0 -9 x\n", "7 fields: '0 S6 0 0 0 -9 x'"),
    ],
)
def test_malformed_lines_are_numbered(small, extension, line, text, got):
    def change(content):
        lines = content.splitlines(True)
        return b"".join([*lines[: line - 1], text, *lines[line:]])

    file = rewrite(small[0], extension, change)
    error = refused(FormatError, small[0])
    assert error.got == got
    assert error.where == f"{file.name}, line {line}"
    assert error.allowed.startswith("6 fields: ")


def test_a_position_that_is_no_number(small):
    rewrite(small[0], ".bim", lambda b: b.replace(b"\t3000\t", b"\t3e3\t"))
    error = refused(FormatError, small[0])
    assert error.got == "position '3e3'"
    assert error.where.endswith("line 3")


def test_bytes_that_are_no_text_and_empty_tables(small):
    rewrite(small[0], ".fam", lambda b: b.replace(b"S3", b"\xff\xfe"))
    assert "not UTF-8" in refused(FormatError, small[0]).got
    rewrite(small[0], ".fam", lambda b: b"")
    assert refused(FormatError, small[0]).got == "no sample"
    rewrite(small[0], ".fam", lambda b: b"0 a 0 0 0 -9\n")
    rewrite(small[0], ".bim", lambda b: b"\n")
    assert refused(FormatError, small[0]).got == "no variant"


def test_blanks_and_windows_line_ends_are_no_matter(small):
    prefix, dosage = small
    rewrite(prefix, ".bim", lambda b: b.replace(b"\t", b"  \t ").replace(b"\n", b"\r\n"))
    source = PlinkSource(prefix)
    assert source.variants.equals(variants(11))
    np.testing.assert_array_equal(source.read(np.arange(7), 0, 11).dosage, dosage)


def test_a_missing_sibling_is_named_with_what_is_there(small):
    prefix, _ = small
    prefix.with_name("cohort.v1.fam").rename(prefix.with_name("other.fam"))
    error = refused(FormatError, prefix)
    assert error.got == "no file cohort.v1.fam"
    assert "cohort.v1.bed, cohort.v1.bim, other.fam" in error.todo


def test_repeated_sample_ids(tmp_path):
    people = pl.DataFrame({"family_id": ["A", "B", "C"], "individual_id": ["1", "1", "2"]})
    write_plink(tmp_path / "d", np.zeros((1, 3)), variants(1), people)
    error = refused(TableError, tmp_path / "d")
    assert error.got == "1 sample ids stand more than once: 1"
    assert "fid_iid" in error.todo
    assert PlinkSource(tmp_path / "d", sample_id="fid_iid").sample_ids == ("A_1", "B_1", "C_2")
    write_plink(tmp_path / "d", np.zeros((1, 3)), variants(1), people.with_columns(pl.lit("A").alias("family_id")))
    assert "remove or rename" in refused(TableError, tmp_path / "d", sample_id="fid_iid").todo
    assert "remove or rename" in refused(TableError, tmp_path / "d").todo


def test_repeated_and_absent_variant_ids_are_noted(tmp_path):
    names = pl.Series("variant_id", ["rs1", ".", "rs1", "."])
    write_plink(tmp_path / "d", np.zeros((4, 3)), variants(4).with_columns(names), ["a", "b", "c"])
    repeated, absent = PlinkSource(tmp_path / "d").notes
    assert "1 variant ids stand more than once (rs1)" in repeated
    assert "2 variants have no id" in absent


def test_the_writer_refuses_what_the_format_cannot_hold(tmp_path):
    with pytest.raises(FormatError, match="2 dosages that are no whole copy number; allowed: 0, 1, 2 or NaN"):
        write_plink(tmp_path / "d", [[0.5, 3.0, 1.0]], variants(1), ["a", "b", "c"])
    with pytest.raises(FormatError, match="1 variants × 3 samples"):
        write_plink(tmp_path / "d", np.zeros((3, 1)), variants(1), ["a", "b", "c"])


def test_alleles_of_an_unknown_code_are_said_and_twice_the_same_is_refused(small):
    prefix, _ = small
    lines = prefix.with_name("cohort.v1.bim").read_text().splitlines()
    coded = ["ACGT\tT", "1\t4", "0\tA", "I\tD", "<DEL>\tc", "*\tG", "A\tQ7", "?\tG"]
    changed = ["\t".join(line.split("\t")[:4]) + f"\t{code}" for line, code in zip(lines, coded, strict=False)]
    bim = prefix.with_name("cohort.v1.bim")
    bim.write_text("\n".join(changed + lines[8:]) + "\n")
    (note,) = PlinkSource(prefix).notes
    assert note.startswith("cohort.v1.bim: 2 variants have an allele of an unknown code (rs6 A/Q7, rs7 ?/G); known are")
    bim.write_text(bim.read_text().replace("A\tQ7", "T\tT"))
    error = refused(FormatError, prefix)
    assert error.got == "1 variants with twice the same allele: rs6 has T and T"
    assert error.where == "cohort.v1.bim"
    assert "two different alleles" in error.allowed
    assert "mend their alleles" in error.todo
