"""One door for every genotype format: the ending of the path says which."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from radiolocus.errors import FormatError
from radiolocus.read.bgen import BgenSource
from radiolocus.read.genotypes import BlockSource
from radiolocus.read.many import PLACE, ManySource, files_of
from radiolocus.read.pgen import PgenSource
from radiolocus.read.plink import PlinkSource
from radiolocus.read.vcf import VcfSource

__all__ = ["ENDINGS", "VCF_ENDINGS", "open_genotypes"]

VCF_ENDINGS = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
ENDINGS = (".bed", ".pgen", ".bgen", *VCF_ENDINGS)


def open_genotypes(
    path: str | Path,
    *,
    sample_id: Literal["iid", "fid_iid"] = "iid",
    dosage: Literal["auto", "GT", "DS", "GP"] = "auto",
) -> BlockSource:
    """Open genotypes of any format.

    Parameters
    ----------
    path : str or Path
        ``.bed``, ``.pgen``, ``.bgen``, ``.vcf``, ``.vcf.gz`` or ``.bcf``; or the prefix of a bed or pgen set. With
        ``@`` in its name: one file for each chromosome (``chr@.bed``), read as one.
    sample_id : {"iid", "fid_iid"}
        What names a sample, where the format has family ids.
    dosage : {"auto", "GT", "DS", "GP"}
        FORMAT field of a VCF or BCF; see :class:`radiolocus.read.vcf.VcfSource`.

    Returns
    -------
    BlockSource

    Raises
    ------
    FormatError
        No such file, an ending that is none of these, a prefix of both a bed and a pgen set, or what the format's
        source raises.
    """
    file = Path(path)
    if PLACE in file.name and not _there(file):
        parts = files_of(file, _there).values()
        return ManySource(file, [open_genotypes(part, sample_id=sample_id, dosage=dosage) for part in parts])
    name = file.name.lower()
    if name.endswith(VCF_ENDINGS):
        return VcfSource(file, field=dosage)
    if name.endswith(".bgen"):
        return BgenSource(file, sample_id=sample_id)
    if name.endswith(".pgen"):
        return PgenSource(file, sample_id=sample_id)
    if name.endswith((".bed", ".bim", ".fam")):
        return PlinkSource(file, sample_id=sample_id)
    sets = _sets(file)
    if len(sets) == 1:
        return PgenSource(file, sample_id=sample_id) if sets == [".pgen"] else PlinkSource(file, sample_id=sample_id)
    raise FormatError(
        f"both {file.name}.bed and {file.name}.pgen" if sets else f"no genotypes at '{file.name}'",
        where=str(file),
        allowed=f"a file that ends in {', '.join(ENDINGS)}, or the prefix of a bed or pgen set",
        todo="write the ending that is meant" if sets else "correct the path",
    )


def _sets(prefix: Path) -> list[str]:
    """Endings of the sets that begin with a prefix."""
    return [ending for ending in (".bed", ".pgen") if prefix.with_name(prefix.name + ending).is_file()]


def _there(path: Path) -> bool:
    return path.is_file() or bool(_sets(path))
