"""Trees of clones that their cancer cell fractions allow.

A mutation that is not lost again stays in all descendants, and a tumour cell belongs to one branch: hence in every
sample a child has no larger fraction than its parent, and the children of a clone together no larger fraction than it
(the sum rule, also called the pigeonhole principle). Fractions are estimates: what exceeds by less than chance allows
is let pass, and the trees are put in order by the largest excess.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radiolocus.model import Array

__all__ = ["NORMAL", "Trees", "consistent_trees"]

#: Parent of the first clone.
NORMAL = -1


@dataclass(frozen=True, eq=False)
class Trees:
    """Trees that the fractions allow.

    Parameters
    ----------
    parents : tuple of tuple of int
        Parent of every clone in every tree, :data:`NORMAL` for a root; closest to the fractions first.
    excess : tuple of float
        Largest amount by which children exceed their parent in each tree; 0 where they never do.
    complete : bool
        All trees were listed; False where there are more than `most`.
    one_root : bool
        The trees have one root. Trees of several are listed only where there is none with one.
    """

    parents: tuple[tuple[int, ...], ...]
    excess: tuple[float, ...]
    complete: bool
    one_root: bool


def consistent_trees(fraction: Array, error: Array, *, z: float = 1.645, most: int = 2000) -> Trees:
    """List the trees under which no sum of children exceeds its parent by more than chance.

    Parameters
    ----------
    fraction, error : ndarray, shape (K, J)
        Cancer cell fraction of every clone in every sample, and its standard error.
    z : float
        Standard errors of the difference by which children may exceed their parent.
    most : int
        Trees after which the search ends.

    References
    ----------
    Nik-Zainal et al., Cell 2012;149:994 (pigeonhole principle). Jiao et al., BMC Bioinformatics 2014;15:35.
    """
    search = _Search(fraction, error, z, most)
    for one_root in (True, False):
        found, complete = search.run(one_root)
        if found:
            break
    ranked = sorted((search.excess(parents), parents) for parents in found)
    return Trees(tuple(p for _, p in ranked), tuple(e for e, _ in ranked), complete, one_root)


class _Search:
    def __init__(self, fraction: Array, error: Array, z: float, most: int) -> None:
        self.fraction, self.variance, self.z, self.most = fraction, error**2, z, most
        # Large clones first: what cannot have children is told early.
        self.order = [int(k) for k in np.argsort(-fraction.mean(1), kind="stable")]

    def _over(self, parent: int, children: list[int]) -> tuple[Array, Array]:
        """By how much children exceed their parent in every sample, and the standard error of that."""
        held = np.ones(self.fraction.shape[1]) if parent == NORMAL else self.fraction[parent]
        spread = np.zeros(self.fraction.shape[1]) if parent == NORMAL else self.variance[parent]
        over = self.fraction[children].sum(0) - held
        return over, np.sqrt(spread + self.variance[children].sum(0))

    def _allowed(self, parent: int, children: list[int]) -> bool:
        over, error = self._over(parent, children)
        return bool((over <= self.z * error + 1e-9).all())

    def excess(self, parents: tuple[int, ...]) -> float:
        """Largest excess of a tree."""
        worst = 0.0
        for parent in {*parents}:
            children = [k for k, p in enumerate(parents) if p == parent]
            worst = max(worst, float(self._over(parent, children)[0].max()))
        return round(worst, 12)

    def run(self, one_root: bool) -> tuple[list[tuple[int, ...]], bool]:
        """Trees with one root, or with any number of them, and whether these are all."""
        clones = len(self.order)
        found: list[tuple[int, ...]] = []
        parents = [NORMAL] * clones
        children: dict[int, list[int]] = {k: [] for k in (NORMAL, *range(clones))}

        def place(step: int) -> bool:
            if step == clones:
                found.append(tuple(parents))
                return len(found) < self.most
            clone = self.order[step]
            for parent in (NORMAL, *self.order):
                if parent == clone or (parent == NORMAL and one_root and children[NORMAL]):
                    continue
                if parent != NORMAL and self._below(parent, clone, parents, set(self.order[:step])):
                    continue
                if not self._allowed(parent, [*children[parent], clone]):
                    continue
                parents[clone] = parent
                children[parent].append(clone)
                on = place(step + 1)
                children[parent].pop()
                parents[clone] = NORMAL
                if not on:
                    return False
            return True

        complete = place(0)
        return [p for p in found if NORMAL in p], complete

    def _below(self, parent: int, clone: int, parents: list[int], placed: set[int]) -> bool:
        """Whether `parent` already descends from `clone`."""
        here = parent
        while here in placed:
            here = parents[here]
            if here == clone:
                return True
        return here == clone
