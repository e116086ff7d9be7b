import shutil
import subprocess

import numpy as np
import pytest

from radiolocus.stats.enrichment import camera, preranked, random_places, running_sum


def ranking(seed=1, genes=120):
    rng = np.random.default_rng(seed)
    statistic = rng.normal(size=genes)
    up = np.argsort(-statistic)[rng.choice(40, 12, replace=False)]
    down = np.argsort(statistic)[rng.choice(30, 12, replace=False)]
    return statistic, [np.sort(up), np.sort(down), np.sort(rng.choice(genes, 20, replace=False))]


def plain_score(statistic, members, power):
    """The running sum walked gene by gene."""
    order = sorted(range(len(statistic)), key=lambda g: -statistic[g])
    inside = set(members.tolist())
    total = sum(abs(statistic[g]) ** power for g in inside)
    running, best = 0.0, 0.0
    for g in order:
        running += abs(statistic[g]) ** power / total if g in inside else -1 / (len(statistic) - len(inside))
        if abs(running) > abs(best):
            best = running
    return best


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_scores_are_the_largest_deviation_of_the_running_sum(power):
    statistic, sets = ranking()
    found = preranked(statistic, sets, random_places(120, [12, 20], 50, 1), power)
    for score, members in zip(found.score, sets, strict=True):
        assert score == pytest.approx(plain_score(statistic, members, power), rel=1e-10)
        sums = running_sum(statistic, members, power)
        assert sums[np.argmax(np.abs(sums))] == pytest.approx(score, rel=1e-10)
        assert sums[-1] == pytest.approx(0, abs=1e-12)


# gseapy 1.3.1, prerank(min_size=2, permutation_num=20000, seed=1) of `ranking()`: ES, and NES within its own noise
GSEAPY = [
    (0.7772029383316598, 2.08762613939551, 0.0003682337056585246, 0.00020956452491722202),
    (-0.8333333333333333, -2.0873594984863617, 0.0001680248676804167, 0.00011067762375141805),
    (-0.24269154163864395, -0.6901391138180907, 0.8868792894630602, 0.8764561024874796),
]


def test_scores_are_those_of_gseapy():
    statistic, sets = ranking()
    found = preranked(statistic, sets, random_places(120, [12, 20], 20_000, 1))
    for s, (score, normalised, p, fdr) in enumerate(GSEAPY):
        assert found.score[s] == pytest.approx(score, abs=1e-6)
        assert found.normalised[s] == pytest.approx(normalised, rel=0.02)
        assert found.p_value[s] == pytest.approx(p, abs=0.015)
        assert found.q_value[s] == pytest.approx(fdr, abs=0.05)


def test_random_sets_are_ascending_without_repeats_and_their_p_values_uniform():
    random = random_places(60, [5, 9], 400, 3)
    assert {k: v.shape for k, v in random.items()} == {5: (400, 5), 9: (400, 9)}
    assert (np.diff(random[9], axis=1) > 0).all()
    assert np.bincount(random[9].ravel(), minlength=60).min() > 30
    rng = np.random.default_rng(4)
    p = []
    for _ in range(150):
        sets = [rng.choice(60, 9, replace=False) for _ in range(4)]
        p += preranked(rng.normal(size=60), sets, random).p_value.tolist()
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.04)


def test_a_set_without_weight_rises_by_equal_steps():
    statistic = np.concatenate([np.ones(10), np.zeros(10)])
    found = preranked(statistic, [np.arange(10, 14)], random_places(20, [4], 20, 1))
    assert np.isfinite(found.score[0])
    assert running_sum(statistic, np.arange(10, 14))[-1] == pytest.approx(0, abs=1e-12)


R_SCRIPT = """
suppressMessages(library(limma))
s <- scan(commandArgs(TRUE)[1], quiet = TRUE); i <- 1:15
a <- cameraPR(s, list(set = i), inter.gene.cor = 0.04, use.ranks = FALSE)
cat(format(a$PValue, digits = 15))
"""


def test_comparison_of_means_is_that_of_limma(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed (Rscript)")
    rng = np.random.default_rng(5)
    s = rng.normal(size=200)
    s[:15] += 0.5
    (tmp_path / "s").write_text("\n".join(map(repr, s.tolist())))
    (tmp_path / "r.R").write_text(R_SCRIPT)
    done = subprocess.run(["Rscript", "--vanilla", tmp_path / "r.R", tmp_path / "s"], capture_output=True, text=True)
    if "no package called" in done.stderr:
        pytest.skip("R's limma is not installed (r-bioc-limma)")
    _, p = camera(s, np.arange(15), (1 + 14 * 0.04) / 15 + 1 / 185, np.inf, floor=0.0)
    assert p == pytest.approx(float(done.stdout), rel=1e-9)


def test_comparison_of_means_is_not_misled_by_genes_that_go_together():
    rng = np.random.default_rng(6)
    members = np.arange(20)
    plain, allowed = [], []
    for _ in range(400):
        s = rng.normal(size=300)
        s[members] = np.sqrt(0.7) * s[members] + np.sqrt(0.3) * rng.normal()
        plain.append(camera(s, members, 1 / 20 + 1 / 280, 1e9)[1])
        allowed.append(camera(s, members, (1 + 19 * 0.3) / 20 + 1 / 280, 1e9)[1])
    assert np.mean(np.array(plain) < 0.05) > 0.3
    assert np.mean(np.array(allowed) < 0.05) == pytest.approx(0.05, abs=0.035)
    s = rng.normal(size=(300, 2))
    t, p = camera(s, members, [0.05, 0.1], 50, upper=True)
    assert t.shape == p.shape == (2,)
    assert ((t > 0) == (p < 0.5)).all()
