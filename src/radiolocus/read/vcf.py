"""VCF and BCF: genotypes, or imputed dosages.

Format: https://samtools.github.io/hts-specs/VCFv4.3.pdf
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Literal

import cyvcf2
import numpy as np
import numpy.typing as npt
import polars as pl

from radiolocus.errors import ConfigError, FormatError
from radiolocus.read.genotypes import (
    QUALITY_KEYS,
    VARIANT,
    BlockSource,
    chromosome_names,
    expected_count,
    named_samples,
    said_of_split,
    said_of_variants,
)

__all__ = ["FIELDS", "VcfSource", "open_vcf"]

Whole = npt.NDArray[np.int64]
Single = npt.NDArray[np.float32]
Field = Literal["auto", "GT", "DS", "GP"]

FIELDS = ("auto", "GT", "DS", "GP")
# Codes of cyvcf2 for an allele that is not called and for a place beyond the ploidy of the sample.
_NO_CALL, _NO_ALLELE = -1, -2
# SAM specification, section 4.1.2: the block that ends every BGZF file.
_LAST_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


class VcfSource(BlockSource):
    """A VCF (plain or bgzipped) or a BCF.

    The effect allele is ALT; a variant with several ALT alleles is split into one row for each, and one without any is
    left out and counted. A half call (``./1``) is missing. A sample with one copy counts 0 or 2; its DS, which runs
    from 0 to 1, is doubled where GT shows a single allele, as PLINK 2 does.

    Parameters
    ----------
    path : str or Path
    field : {"auto", "GT", "DS", "GP"}
        Where dosages come from. ``auto``: DS where the header defines it, else GP, else GT. A record without the
        field is read from its GT.

    Raises
    ------
    FormatError
        The file is no VCF, is truncated, or has none of GT, DS and GP.
    TableError
        Two samples have the same id.

    Notes
    -----
    A VCF has no index by number: blocks read in file order cost one pass; a block behind the last one read starts the
    file again.
    """

    def __init__(self, path: str | Path, *, field: Field = "auto") -> None:
        super().__init__()
        if field not in FIELDS:
            raise ConfigError(f"dosage = '{field}'", where="genetics", allowed=" or ".join(map(repr, FIELDS)))
        file = Path(path)
        self.path, self.files = str(file), (file,)
        reader = open_vcf(file)
        people = list(reader.samples)
        listed = pl.DataFrame({"individual_id": pl.Series(people, dtype=pl.String), "sex": ["0"] * len(people)})
        self.samples = named_samples(listed, file.name, "iid")
        self.field = _field(reader, field, file.name)
        self.variants, alternatives, self.notes = _listed(file)
        self._variant = np.repeat(np.flatnonzero(alternatives), alternatives[alternatives > 0])
        self._first = np.concatenate([[0], np.cumsum(alternatives)[:-1]])
        if self.field != "GT":
            self.notes += (f"{file.name}: dosages are taken from FORMAT/{self.field}, hard calls where it is absent",)

    def _records(self, index: int) -> cyvcf2.VCF:
        """Return a reader whose next record is `index`."""
        if getattr(self._open, "reader", None) is None or self._open.next > index:
            self._open.reader, self._open.next = open_vcf(Path(self.path)), 0
        for _ in islice(self._open.reader, index - self._open.next):
            pass
        self._open.next = index
        return self._open.reader

    def _next(self, reader: cyvcf2.VCF, index: int) -> cyvcf2.Variant:
        try:
            record, said = next(reader, None), "the file ends"
        except Exception as error:  # cyvcf2 raises a bare Exception for a record it cannot parse
            record, said = None, str(error)
        self._open.next = index + 1
        if record is None:
            raise FormatError(
                f"record {index + 1} cannot be read: {said}",
                where=Path(self.path).name,
                allowed="a value for every sample in every record",
                todo="the file is truncated, damaged or changed during the run: copy it again",
            )
        return record

    def _dosages(self, rows: Whole, start: int, stop: int) -> Single:
        out = np.empty((stop - start, rows.size), dtype=np.float32)
        if stop <= start:
            return out
        first, last = int(self._variant[start]), int(self._variant[stop - 1])
        reader = self._records(first)
        for index in range(first, last + 1):
            record = self._next(reader, index)
            counted = len(record.ALT)
            if counted == 0:
                continue
            # the rows of this record, of which a block may hold a part
            low, high = max(self._first[index], start), min(self._first[index] + counted, stop)
            dosage = _dosage(record, self.field, Path(self.path).name)
            out[low - start : high - start] = dosage[low - self._first[index] : high - self._first[index]][:, rows]
        return out


def open_vcf(path: Path) -> cyvcf2.VCF:
    """Open a VCF or BCF; refuses what is absent, truncated or no VCF with a `FormatError`."""
    if not path.is_file():
        raise FormatError(f"no file {path.name}", where=str(path), todo="correct the path")
    _whole(path)
    try:
        return cyvcf2.VCF(str(path))
    except Exception as error:  # cyvcf2 raises a bare Exception for a header it cannot parse
        raise FormatError(
            f"the header cannot be read: {error}",
            where=path.name,
            allowed="VCF 4, plain or bgzipped, or BCF 2, every sample once",
            todo="look at the file with: bcftools view -h",
        ) from None


def _whole(path: Path) -> None:
    """Refuse a bgzipped file whose last block is missing; htslib would only warn."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return
        file.seek(max(path.stat().st_size - len(_LAST_BLOCK), 0))
        if file.read() != _LAST_BLOCK:
            raise FormatError(
                "the file does not end with an empty BGZF block",
                where=path.name,
                allowed="a whole file written by bgzip",
                todo="it is truncated, or compressed by gzip: copy it again, or: gunzip -c | bgzip",
            )


def _field(reader: cyvcf2.VCF, wanted: Field, name: str) -> str:
    defined = [h["ID"] for h in reader.header_iter() if h["HeaderType"] == "FORMAT"]
    usable = [f for f in ("DS", "GP", "GT") if f in defined]
    if not usable or (wanted != "auto" and wanted not in usable):
        raise FormatError(
            f"no FORMAT/{'GT, DS or GP' if not usable else wanted}",
            where=name,
            allowed="genotypes (GT) or dosages (DS, GP) for each sample"
            if not usable
            else f"one of what the header defines: {', '.join(usable)}",
            todo="a file of sites alone has no genotypes: give the one with samples"
            if not usable
            else f"set dosage to {usable[0]} or auto",
        )
    return usable[0] if wanted == "auto" else wanted


def _listed(path: Path) -> tuple[pl.DataFrame, Whole, tuple[str, ...]]:
    reader = open_vcf(path)
    reader.set_samples([])  # sites alone: genotypes are not parsed
    try:
        found = [(r.CHROM, r.ID or ".", r.POS, r.REF, r.ALT, _quality(r)) for r in reader]
    except Exception as error:  # cyvcf2 raises a bare Exception for a record it cannot parse
        raise FormatError(
            f"the records cannot be read to the end: {error}",
            where=path.name,
            allowed="a whole VCF or BCF",
            todo="the file is truncated or damaged: copy it again, or look with: bcftools view",
        ) from None
    names = ("code", "variant_id", "base_pair_location", "other_allele", "effect_allele", "stated_info")
    kinds = (pl.String, pl.String, pl.Int64, pl.String, pl.List(pl.String), pl.Float64)
    frame = pl.DataFrame(found, schema=dict(zip(names, kinds, strict=True)), orient="row", strict=False)
    alternatives = frame["effect_allele"].list.len().cast(pl.Int64).to_numpy()
    if not alternatives.any():
        raise FormatError("no variant", where=path.name, allowed="at least one record with an ALT allele")
    split = frame.explode("effect_allele").drop_nulls("effect_allele")
    split = split.with_columns(chromosome_names(pl.col("code")).alias("chromosome"))
    notes = said_of_variants(path.name, split["code"], split.select(VARIANT)) + said_of_split(path.name, alternatives)
    if lone := int((alternatives == 0).sum()):
        notes += (f"{path.name}: {lone} records without an ALT allele are left out",)
    stated = ("stated_info",) if split["stated_info"].is_not_null().any() else ()
    return split.select(*VARIANT, *stated), alternatives, notes


def _quality(record: cyvcf2.Variant) -> float | None:
    for key in QUALITY_KEYS:
        value = record.INFO.get(key)
        if isinstance(value, (int, float)):
            return float(value)
    return None


def _dosage(record: cyvcf2.Variant, field: str, name: str) -> Single:
    """Counts of each ALT allele, shape (ALT alleles, samples)."""
    formats = record.FORMAT
    alleles = len(record.ALT) + 1
    if field not in formats and "GT" not in formats:
        raise FormatError(
            f"neither {field} nor GT at {record.CHROM}:{record.POS} (FORMAT {':'.join(formats) or 'absent'})",
            where=name,
            allowed="the same field, or GT, in every record",
            todo="set dosage to a field that all records have, or leave the record out",
        )
    if field == "DS" and "DS" in formats:
        stated: Single = record.format("DS").astype(np.float32).T
        if "GT" in formats:
            stated[:, _copies(record, name)[:, 1] == _NO_ALLELE] *= 2
        return stated
    if field == "GP" and "GP" in formats:
        probabilities = record.format("GP").astype(np.float64)
        two = ~np.isnan(probabilities).any(axis=1)
        counts = [expected_count(probabilities, two, alleles, k, phased=False) for k in range(1, alleles)]
        return np.array(counts, dtype=np.float32)
    copies = _copies(record, name)
    out = np.array([(copies == k).sum(axis=1) for k in range(1, alleles)], dtype=np.float32)
    out[:, copies[:, 1] == _NO_ALLELE] *= 2
    out[:, (copies == _NO_CALL).any(axis=1)] = np.nan
    return out


def _copies(record: cyvcf2.Variant, name: str) -> npt.NDArray[np.int16]:
    """Alleles of each sample, shape (samples, 2); the second place is empty for one copy."""
    called: npt.NDArray[np.int16] = record.genotype.array()[:, :-1]  # the last column says phased
    if called.shape[1] > 2:
        raise FormatError(
            f"genotypes of {called.shape[1]} copies at {record.CHROM}:{record.POS}",
            where=name,
            allowed="one or two copies a sample",
            todo="leave the record out: bcftools view -e",
        )
    if called.shape[1] == 1:
        called = np.column_stack([called, np.full(len(called), _NO_ALLELE, dtype=np.int16)])
    return called
