"""BGEN 1.1 to 1.3 (layouts 1 and 2): genotype probabilities, phased or not, as dosages.

Format: https://www.chg.ox.ac.uk/~gav/bgen_format/spec/latest.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import bgen
import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import FormatError
from radiolocus.read.genotypes import (
    VARIANT,
    BlockSource,
    chromosome_names,
    expected_count,
    named_samples,
    said_of_split,
    said_of_variants,
)

__all__ = ["BgenSource"]

Whole = npt.NDArray[np.int64]


class BgenSource(BlockSource):
    """A BGEN file, with the samples of its ``.sample`` file when one stands beside it.

    The dosage is the expected count of the effect allele, Σ k·P(k copies); the effect allele is the second allele of
    the file (and each further one, in a row of its own), the other allele the first. A file written by
    ``plink2 --export bgen-1.x`` without ``ref-first`` has the alternative allele first: the labels follow.

    Parameters
    ----------
    path : str or Path
        The ``.bgen``.
    sample_id : {"iid", "fid_iid"}
        What names a sample of the ``.sample`` file: ID_2, or ``ID_1_ID_2``. Without one the ids inside the bgen are
        taken as they stand.

    Raises
    ------
    FormatError
        The file is no BGEN or is truncated, its ``.sample`` is of other samples, it has no ids at all.
    TableError
        Two samples have the same id.
    """

    def __init__(self, path: str | Path, *, sample_id: Literal["iid", "fid_iid"] = "iid") -> None:
        super().__init__()
        file = Path(path)
        self.path, self.files = str(file), (file,)
        reader = self._reader()
        beside = file.with_suffix(".sample")
        inside = list(reader.samples) if reader.header.has_sample_ids else None
        if beside.is_file():
            self.files = (file, beside)
            self.samples = _sample_file(beside, sample_id, file.name, reader.header.nsamples, inside)
        elif inside is not None:
            frame = pl.DataFrame({"individual_id": inside, "sex": ["0"] * len(inside)})
            self.samples = named_samples(frame, file.name, "iid")
        else:
            raise FormatError(
                "no sample ids in the file",
                where=file.name,
                allowed=f"ids inside the bgen, or {beside.name} beside it",
                todo="put the .sample file of the data set beside the bgen, under its name",
            )
        self.variants, alternatives, self.notes = self._listed(reader)
        # a reader that was walked through no longer finds variants by index
        self._open.reader = None
        self._variant = np.repeat(np.arange(alternatives.size), alternatives)
        first = np.concatenate([[0], np.cumsum(alternatives)[:-1]])
        self._allele = np.arange(self.variants.height) - np.repeat(first, alternatives) + 1

    def _reader(self) -> bgen.BgenReader:
        if getattr(self._open, "reader", None) is None:
            file = Path(self.path)
            if not file.is_file():
                raise FormatError(f"no file {file.name}", where=str(file), todo="correct the path")
            try:
                self._open.reader = bgen.BgenReader(file)
            except (ValueError, OSError) as error:
                raise FormatError(
                    str(error),
                    where=file.name,
                    allowed="BGEN 1.1, 1.2 or 1.3",
                    todo="copy the file again; bgenix -list says whether it is whole",
                ) from None
        reader: bgen.BgenReader = self._open.reader
        return reader

    def _listed(self, reader: bgen.BgenReader) -> tuple[pl.DataFrame, Whole, tuple[str, ...]]:
        name = Path(self.path).name
        try:
            found = [(v.chrom, v.rsid if v.rsid not in ("", ".") else v.varid, v.pos, list(v.alleles)) for v in reader]
        except (ValueError, IndexError) as error:
            raise FormatError(
                f"the list of variants cannot be read: {error}",
                where=name,
                allowed="a whole bgen",
                todo="copy it again",
            ) from None
        if len(found) != reader.header.nvariants or not found:
            raise FormatError(
                f"{len(found)} variants",
                where=name,
                allowed=f"{reader.header.nvariants}, as the header says, and at least one",
                todo="the file is truncated: copy it again",
            )
        frame = pl.DataFrame(
            found,
            schema={
                "code": pl.String,
                "variant_id": pl.String,
                "base_pair_location": pl.Int64,
                "a": pl.List(pl.String),
            },
            orient="row",
        )
        alternatives = frame["a"].list.len().cast(pl.Int64).to_numpy() - 1
        if (alternatives < 1).any():
            bad = found[int(np.argmin(alternatives))]
            raise FormatError(
                f"variant {bad[1]} has one allele", where=name, allowed="two or more", todo="leave the variant out"
            )
        frame = frame.with_columns(
            chromosome_names(pl.col("code")).alias("chromosome"),
            pl.col("a").list.first().alias("other_allele"),
            pl.col("a").list.slice(1).alias("effect_allele"),
        ).explode("effect_allele")
        variants = frame.select(VARIANT)
        notes = said_of_variants(name, frame["code"], variants) + said_of_split(name, alternatives)
        return variants, alternatives, notes

    def _dosages(self, rows: Whole, start: int, stop: int) -> npt.NDArray[np.float32]:
        out = np.empty((stop - start, rows.size), dtype=np.float32)
        reader = self._reader()
        whole = np.array_equal(rows, np.arange(self.samples.height))
        for i in range(start, stop):
            dosage = self._one(reader, int(self._variant[i]), int(self._allele[i]))
            out[i - start] = dosage if whole else dosage[rows]
        return out

    def _one(self, reader: bgen.BgenReader, index: int, allele: int) -> npt.NDArray[np.floating]:
        """Count one allele of one variant for all samples, from 0 to 2."""
        try:
            variant = reader[index]
            alleles, ploidy = variant.alleles, variant.ploidy
            if ploidy.min() < 1 or ploidy.max() > 2:
                raise FormatError(
                    f"ploidy {ploidy.min()} to {ploidy.max()} at variant {variant.rsid or variant.varid}",
                    where=Path(self.path).name,
                    allowed="one or two copies a sample (one: counted 0 or 2)",
                    todo="leave the variant out: qctool -excl-rsids, or plink2 --exclude with --export",
                )
            probabilities = variant.probabilities
            phased = variant.is_phased
        except (ValueError, IndexError, RuntimeError) as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(
                f"variant {index + 1} cannot be read: {error}",
                where=Path(self.path).name,
                allowed="an undamaged bgen",
                todo="copy the file again",
            ) from None
        return expected_count(
            np.asarray(probabilities, dtype=np.float64), ploidy == 2, len(alleles), allele, phased=phased
        )


def _sample_file(path: Path, sample_id: str, bgen_name: str, count: int, inside: Sequence[str] | None) -> pl.DataFrame:
    """Read an Oxford sample file and hold it against the bgen."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(lines) < 2 or [name.upper() for name in lines[0][:2]] != ["ID_1", "ID_2"]:
        raise FormatError(
            f"the file begins with '{' '.join(lines[0][:3]) if lines else ''}'",
            where=path.name,
            allowed="two header lines, the first of them ID_1 ID_2 missing ...",
            todo="write it again with: plink2 --export bgen-1.2",
        )
    names, people = [name.lower() for name in lines[0]], lines[2:]
    short = next((i for i, line in enumerate(people) if len(line) != len(names)), None)
    if short is not None:
        raise FormatError(
            f"{len(people[short])} fields", where=f"{path.name}, sample {short + 1}", allowed=f"{len(names)} fields"
        )
    if len(people) != count:
        raise FormatError(
            f"{len(people)} samples, and {count} in {bgen_name}",
            where=path.name,
            allowed="the same samples in both",
            todo=f"the sample file is of another data set: copy it from where {bgen_name} came",
        )
    sex = names.index("sex") if "sex" in names else None
    frame = pl.DataFrame(
        {
            "family_id": [line[0] for line in people],
            "individual_id": [line[1] for line in people],
            "sex": ["0" if sex is None else line[sex] for line in people],
        }
    )
    # PLINK 2 writes IID, or FID_IID where families are given; qctool and UK Biobank ID_1
    for i, (family, person, name) in enumerate(
        zip(frame["family_id"], frame["individual_id"], inside or (), strict=False)
    ):
        if name not in (person, family, f"{family}_{person}"):
            raise FormatError(
                f"sample {i + 1} is {person}, and {name} in {bgen_name}",
                where=path.name,
                allowed="the same samples in the same order",
                todo="the sample file is of another data set, or sorted differently: copy it again",
            )
    return named_samples(frame, path.name, sample_id)
