"""Models of several blocks on cohorts whose truth is known: the figure of ``docs/fusion.md``.

    python docs/figures/fusion.py [COHORTS]

writes ``fusion.svg`` and ``fusion.csv`` beside this file.
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
from radiolocus.learn.target import Target

SUBJECTS = 150
COLUMNS = {"clinical": 10, "molecular": 15, "imaging": 250}
MODELS = ("elastic_net", "ipf_lasso", "ipf_ridge", "sparse_group_lasso", "stacked", "factors", "canonical")
_SHOWN = ("elastic net", "IPF-lasso", "IPF-ridge", "sparse group lasso", "stacked", "factor scores", "canonical scores")
_OPTIONS = ProtocolOptions(folds=3, inner_folds=3, penalties=12)


def cohort(seed: int, molecular: bool) -> tuple[Predictors, Target]:
    """A signal in three clinical and, with `molecular`, in six molecular columns; imaging is noise."""
    rng = np.random.default_rng(seed)
    parts = {block: rng.normal(size=(SUBJECTS, count)) for block, count in COLUMNS.items()}
    risk = 0.7 * parts["clinical"][:, :3].sum(axis=1)
    if molecular:
        risk = risk + 0.4 * parts["molecular"][:, :6].sum(axis=1)
    died, lost = rng.exponential(np.exp(-risk)), rng.exponential(2.0, SUBJECTS)
    blocks = tuple(block for block, count in COLUMNS.items() for _ in range(count))
    names = tuple(f"{block} {j}" for j, block in enumerate(blocks))
    X = np.hstack(list(parts.values()))
    return (
        Predictors(X, names, blocks, np.zeros((SUBJECTS, 0), np.int64)),
        Target((died <= lost).astype(float), np.minimum(died, lost)),
    )


def judged(predictors: Predictors, target: Target, model: str) -> float:
    """Out-of-fold Harrell's C."""
    found = Protocol(_OPTIONS, model).run(predictors, target)
    return fold_statistic(target, found.prediction, found.fold)


def contrast(seed: int) -> tuple[float, ...]:
    """C of all blocks by every model; then what all blocks add to clinic alone where clinic carries everything."""
    predictors, target = cohort(seed, molecular=True)
    with_signal = [judged(predictors, target, model) for model in MODELS]
    predictors, target = cohort(1000 + seed, molecular=False)
    alone = judged(predictors.of_block("clinical"), target, "elastic_net")
    return (*with_signal, *(judged(predictors, target, model) - alone for model in MODELS))


def draw(frame: pl.DataFrame, file: Path) -> None:
    """Draw a dot a cohort for every model: its C, and what it gains where there is nothing to gain."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "radiolocus"
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    figure, both = pyplot.subplots(1, 2, figsize=(8.2, 3.1), layout="constrained", sharey=True)
    titles = ("signal in clinical and molecular", "signal in clinical alone")
    labels = ("out-of-fold Harrell's C, all blocks", "gain of all blocks over clinical alone")
    for axes, prefix, title, label in zip(both, ("", "gain "), titles, labels, strict=True):
        for y, model in enumerate(MODELS):
            values = frame[prefix + model].to_numpy()
            spread = np.random.default_rng(0).uniform(-0.14, 0.14, values.size)
            colour = "#555555" if model == "elastic_net" else "#2b5d7d"
            axes.plot(values, y + spread, "o", ms=4, color=colour, alpha=0.6, mec="none")
            axes.plot([values.mean()] * 2, [y - 0.3, y + 0.3], color=colour, lw=2)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(label)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    both[0].axvline(frame["elastic_net"].mean(), color="black", lw=0.9, ls=(0, (4, 2)), zorder=0)
    both[1].axvline(0.0, color="black", lw=0.9, ls=(0, (4, 2)), zorder=0)
    both[0].set_yticks(range(len(MODELS)), _SHOWN)
    both[0].set_ylim(len(MODELS) - 0.4, -0.6)
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def main(cohorts: int, folder: Path) -> pl.DataFrame:
    """Simulate `cohorts` cohorts and write the table and the figure into `folder`."""
    names = [*MODELS, *(f"gain {model}" for model in MODELS)]
    rows = [contrast(seed) for seed in range(cohorts)]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_row_index("cohort")
    frame.write_csv(folder / "fusion.csv", float_precision=4)
    draw(frame, folder / "fusion.svg")
    return frame


if __name__ == "__main__":
    print(main(int(sys.argv[1]) if len(sys.argv) > 1 else 12, Path(__file__).resolve().parent).mean())
