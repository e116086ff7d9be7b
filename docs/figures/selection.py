"""Selection inside and outside the folds, on pure noise: the figure of ``docs/protocol.md``.

    python docs/figures/selection.py [COHORTS]

writes ``selection.svg`` and ``selection.csv`` beside this file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

from radiolocus.learn.discrimination import fold_statistic
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol
from radiolocus.learn.select import strongest, univariate_strength
from radiolocus.learn.target import Target

SUBJECTS, COLUMNS, CHOSEN = 150, 2000, 40
_CHOOSE = ProtocolOptions(
    repeats=1, penalties=12, select="univariate", select_count=CHOSEN, screen=COLUMNS, redundancy=1.0
)
_PLAIN = ProtocolOptions(repeats=1, penalties=12, redundancy=1.0)


def contrast(seed: int) -> tuple[float, float]:
    """Harrell's C of pure noise with the strongest columns chosen outside the folds, and inside."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(SUBJECTS, COLUMNS))
    time, lost = rng.exponential(size=SUBJECTS), rng.exponential(2.0, size=SUBJECTS)
    target = Target((time <= lost).astype(float), np.minimum(time, lost))
    peeked = strongest(univariate_strength(X, target, _PLAIN), CHOSEN)
    outside = Protocol(_PLAIN, "ridge").run(_named(X[:, peeked]), target)
    inside = Protocol(_CHOOSE, "ridge").run(_named(X), target)
    return (
        fold_statistic(target, outside.prediction, outside.fold),
        fold_statistic(target, inside.prediction, inside.fold),
    )


def _named(X: np.ndarray) -> Predictors:
    names = tuple(f"x{j}" for j in range(X.shape[1]))
    return Predictors(X, names, ("imaging",) * len(names), np.zeros((len(X), 0), np.int64))


def draw(frame: pl.DataFrame, file: Path) -> None:
    """Draw both columns of `frame`, one dot a cohort, against the line of no information."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "radiolocus"
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 2.6), layout="constrained")
    labels = ("chosen outside the folds,\nthen cross-validated", "chosen inside each fold")
    for y, (name, colour) in enumerate((("outside", "#b2452f"), ("inside", "#2b5d7d"))):
        values = frame[name].to_numpy()
        spread = np.random.default_rng(0).uniform(-0.12, 0.12, values.size)
        axes.plot(values, y + spread, "o", ms=4.5, color=colour, alpha=0.65, mec="none")
        axes.plot([values.mean()] * 2, [y - 0.28, y + 0.28], color=colour, lw=2)
        x = values.max() + 0.015
        axes.annotate(f"mean {values.mean():.2f}", (x, y), ha="left", va="center", color=colour)
    axes.axvline(0.5, color="black", lw=0.9, ls=(0, (4, 2)), zorder=0)
    axes.set_yticks([0, 1], labels)
    axes.set_ylim(1.5, -0.75)
    axes.set_xlim(0.3, 0.95)
    axes.set_xlabel("out-of-fold Harrell's C of pure noise (dashed: no information)")
    axes.set_title(f"{SUBJECTS} subjects, {COLUMNS} columns of noise, {CHOSEN} chosen; a dot a cohort", fontsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def main(cohorts: int, folder: Path) -> pl.DataFrame:
    """Simulate `cohorts` cohorts and write the table and the figure into `folder`."""
    rows = [contrast(seed) for seed in range(cohorts)]
    frame = pl.DataFrame(rows, schema=["outside", "inside"], orient="row").with_row_index("cohort")
    frame.write_csv(folder / "selection.csv", float_precision=4)
    draw(frame, folder / "selection.svg")
    return frame


if __name__ == "__main__":
    print(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30, Path(__file__).resolve().parent).mean())
