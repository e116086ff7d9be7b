"""Section ``[outcome.genetic]`` of the study file: genotypes as predictors."""

from __future__ import annotations

from dataclasses import dataclass

from radiolocus.errors import ConfigError

__all__ = ["GENETIC", "GeneticBlock"]

#: Name of the block of genotypes.
GENETIC = "genetic"


@dataclass(frozen=True)
class GeneticBlock:
    """Genotypes of ``[genetics]`` as a block of predictors.

    Parameters
    ----------
    variants : tuple of str
        Ids of variants whose dosages predict; their weights are learned inside the fold.
    scores : tuple of str
        Scoring files (format of the PGS Catalog), whose weights are taken as they are.
    components : int
        Principal components of the genotypes, learned inside the fold.
    component_variants : int
        Autosomal variants that the components are made of, at most; evenly spread over the file.
    """

    variants: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    components: int = 0
    component_variants: int = 2000

    def __post_init__(self) -> None:
        if not (self.variants or self.scores or self.components):
            raise ConfigError("nothing is asked for", where="outcome.genetic", allowed="variants, scores or components")
        for name in ("variants", "scores"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ConfigError(f"{name} = {list(values)}", where="outcome.genetic", allowed="every one once")
        if not 0 <= self.components <= 50:
            raise ConfigError(f"components = {self.components}", where="outcome.genetic", allowed="0 to 50")
        if self.component_variants < 2:
            raise ConfigError(
                f"component_variants = {self.component_variants}", where="outcome.genetic", allowed="at least 2"
            )
