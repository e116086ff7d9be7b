"""What a study file says about its scan."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from radiolocus.associate.binary import BinaryOptions
from radiolocus.associate.gwas import GwasOptions
from radiolocus.associate.mixed import MixedOptions, refuse_with
from radiolocus.errors import ConfigError
from radiolocus.genome.qc import GenotypeOptions

__all__ = ["GeneticsOptions"]


@dataclass(frozen=True)
class GeneticsOptions(GenotypeOptions):
    """Section ``[genetics]`` of the study file.

    Parameters
    ----------
    keep : GwasOptions
        What is kept of the scan, and whether all phenotypes are also tested at once.
    binary : tuple of str
        Binary endpoints of the cohort and binary molecular markers that are scanned by logistic regression.
    logistic : BinaryOptions
        How these are tested.
    mixed : MixedOptions or None
        How relatedness is modelled in the scan of imaging phenotypes, and by the ridge in that of binary ones; None:
        not at all.
    samples, variants : str
        Lists of the samples and of the variants that are analysed, one id a line, such as ``radiolocus qc`` leaves
        them; empty: all.
    sex : str
        Column of the subjects table (male, female, m, f, 1, 2), for X and Y; empty: what the genotype file says.
    """

    keep: GwasOptions = field(default_factory=GwasOptions)
    binary: tuple[str, ...] = ()
    logistic: BinaryOptions = field(default_factory=BinaryOptions)
    mixed: MixedOptions | None = None
    samples: str = ""
    variants: str = ""
    sex: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        twice = sorted({name for name in self.binary if self.binary.count(name) > 1})
        if twice:
            raise ConfigError(f"binary lists {', '.join(twice)} more than once", where="genetics")
        if self.logistic.coding != "0/1":
            raise ConfigError(
                f"logistic.coding = '{self.logistic.coding}'",
                where="genetics",
                allowed="'0/1': endpoints and markers of a study are 0 and 1",
                todo="leave it out",
            )

        if self.mixed is not None:
            refuse_with(self.mixed, binary=False, multi_trait=self.keep.multi_trait, missing=self.missing)

    def scan(self, **changed: object) -> GenotypeOptions:
        """Options of one scan; `changed` replaces some."""
        values = {f.name: getattr(self, f.name) for f in fields(GenotypeOptions)}
        return GenotypeOptions(**(values | changed))
