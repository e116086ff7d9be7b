"""What ``[link]`` of the study file says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from radiolocus.cohort.repeatable import IccDemand
from radiolocus.errors import ConfigError

__all__ = ["TESTS", "LinkOptions", "Test"]

Test = Literal["linear", "rank", "logistic", "ordinal", "distance"]

#: Tests that a kind of marker can have.
TESTS: dict[str, tuple[Test, ...]] = {
    "binary": ("linear", "rank", "logistic", "distance"),
    "ordinal": ("ordinal", "rank", "linear", "distance"),
    "continuous": ("linear", "rank", "distance"),
}


@dataclass(frozen=True)
class LinkOptions(IccDemand):
    """How features are linked with markers.

    Parameters
    ----------
    covariates : tuple of str
        Clinical columns that every test is adjusted for; text columns become one indicator per value but the first.
    adjust_features : tuple of str
        Imaging features that every test is adjusted for as well, such as the tumour's volume (``CT:morph_volume``).
    binary_test : {"linear", "rank", "logistic", "distance"}
        Test of a binary marker.
    continuous_test : {"linear", "rank", "distance"}
        Test of a continuous marker.
    ordinal_test : {"ordinal", "rank", "linear", "distance"}
        Test of an ordinal marker; ``"ordinal"`` is proportional odds.
    ordinal : tuple of str
        Markers of ordered classes coded as numbers (stage, grade).
    tests : dict of str to str
        Test of a marker by name, instead of that of its kind.
    min_n : int
        Pairs with fewer subjects are not tested.
    min_group : int
        Binary markers with fewer subjects present, or absent, among those used are not tested; nor are ordinal markers
        by proportional odds with fewer in any class.
    keep_p : float
        Pairs with a larger p-value are tested and counted but not kept in the table.
    batch : str or None
        Clinical column of sites or scanners: features are brought together by ComBat before anything is tested. The
        covariates are kept.
    permutations : int
        Permutations for ``permutation_p_value``, ``family_wise_p_value`` and the sets; 0: none.
    scope : {"marker", "family", "all"}
        Over what the family-wise error is held: the features of one marker, all pairs of one family of features, all.
    permute_within : str or None
        Clinical column within whose values subjects are exchanged, such as the site.
    families : {"marker", "feature"}
        Families of the hierarchical false discovery rate: the pairs of a marker, or those of a family of features.
    gene_sets : str or None
        GMT file: ranking of the genes of each feature, and sets against families of features.
    gene_prefix : str
        Markers that begin with it are genes, called by what follows.
    min_set, max_set : int
        Gene sets with fewer, or more, genes among the markers are left out.
    canonical : bool
        Sparse canonical correlation and partial least squares of all features with all genes.
    replication : str or None
        Output folder of the same links in another cohort, below the folder of the data.
    seed : int
        Of every permutation and subsample.
    endpoints : tuple of str
        Endpoints that are linked like markers: binary ones, and of ``[response.endpoints]`` also the best depth, a
        number.
    """

    covariates: tuple[str, ...] = ()
    adjust_features: tuple[str, ...] = ()
    binary_test: Literal["linear", "rank", "logistic", "distance"] = "linear"
    continuous_test: Literal["linear", "rank", "distance"] = "rank"
    ordinal_test: Literal["ordinal", "rank", "linear", "distance"] = "ordinal"
    ordinal: tuple[str, ...] = ()
    tests: dict[str, Test] = field(default_factory=dict)
    min_n: int = 20
    min_group: int = 3
    keep_p: float = 1.0
    batch: str | None = None
    permutations: int = 0
    scope: Literal["marker", "family", "all"] = "marker"
    permute_within: str | None = None
    families: Literal["marker", "feature"] = "marker"
    gene_sets: str | None = None
    gene_prefix: str = "expr:"
    min_set: int = 5
    max_set: int = 500
    canonical: bool = False
    replication: str | None = None
    seed: int = 1
    endpoints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind, allowed in TESTS.items():
            self._among(f"{kind}_test", allowed)
        self._among("scope", ("marker", "family", "all"))
        self._among("families", ("marker", "feature"))
        for name, least in (("min_n", 4), ("min_group", 1), ("permutations", 0), ("min_set", 2), ("seed", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} = {getattr(self, name)}", where="link", allowed=f"at least {least}")
        if self.max_set < self.min_set:
            raise ConfigError(
                f"max_set = {self.max_set}", where="link.max_set", allowed=f"at least min_set = {self.min_set}"
            )
        if not 0.0 < self.keep_p <= 1.0:
            raise ConfigError(f"keep_p = {self.keep_p}", where="link.keep_p", allowed="above 0 and at most 1")
        for name in ("covariates", "adjust_features", "endpoints"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ConfigError(f"a name of {name} twice", where=f"link.{name}", allowed="every name once")
        self._check_tests()
        self.check_icc("link")

    def _among(self, name: str, allowed: tuple[str, ...]) -> None:
        if getattr(self, name) not in allowed:
            raise ConfigError(f"{name} = '{getattr(self, name)}'", where="link", allowed=", ".join(allowed))

    def _check_tests(self) -> None:
        known = tuple(dict.fromkeys(t for kind in TESTS.values() for t in kind))
        for marker, test in self.tests.items():
            if test not in known:
                raise ConfigError(f"'{test}'", where=f"link.tests.{marker}", allowed=", ".join(known))
        if self.batch is not None and self.batch in self.covariates:
            raise ConfigError(
                f"batch = '{self.batch}' is a covariate too",
                where="link.batch",
                allowed="one way to adjust for a site",
                todo="take it out of link.covariates, or take link.batch out",
            )

    def test_of(self, marker: str, kind: str) -> Test:
        """Test of a marker of a kind.

        Raises
        ------
        ConfigError
            A test by name that this kind cannot have.
        """
        by_kind: dict[str, Test] = {
            "binary": self.binary_test, "ordinal": self.ordinal_test, "continuous": self.continuous_test,
        }  # fmt: skip
        test = self.tests.get(marker, by_kind[kind])
        if test not in TESTS[kind]:
            raise ConfigError(
                f"'{test}' for a {kind} marker", where=f"link.tests.{marker}", allowed=", ".join(TESTS[kind])
            )
        return test
