"""Models of several blocks: against R's glmnet, general optimisers, and cohorts whose truth is known."""

import numpy as np
import pytest
from scipy.optimize import minimize

from naive import elastic_net as naive
from radiolocus.errors import FitError
from radiolocus.learn.blockwise import Fusion
from radiolocus.learn.cox import CoxNet
from radiolocus.learn.discrimination import fold_statistic
from radiolocus.learn.factors import canonical_loadings, factor_loadings
from radiolocus.learn.group_lasso import GroupNet, first_penalty
from radiolocus.learn.ipf import factor_path
from radiolocus.learn.joined import Joined
from radiolocus.learn.linear import LinearFit
from radiolocus.learn.logistic import LogisticNet
from radiolocus.learn.models import MODELS, alone
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.preprocess import Predictors
from radiolocus.learn.protocol import Protocol, fit_tuned
from radiolocus.learn.stacking import Patterns, nonnegative_weights
from radiolocus.learn.target import Target
from radiolocus.stats.survival import kaplan_meier

FUSIONS = [name for name, learner in MODELS.items() if isinstance(learner, Fusion)]
QUICK = ProtocolOptions(folds=3, inner_folds=3, penalties=12)
SEED = np.random.SeedSequence(3)


def blocks(seed, n=150, noise=150, effect=1.0, kind="survival", lacking=0.0):
    """A signal in clinical (10 columns) and molecular (15 columns); imaging is noise with ten times the columns."""
    rng = np.random.default_rng(seed)
    A, B, N = rng.normal(size=(n, 10)), rng.normal(size=(n, 15)), rng.normal(size=(n, noise))
    risk = effect * (0.7 * A[:, :3].sum(axis=1) + 0.4 * B[:, :6].sum(axis=1))
    X = np.hstack([A, B, N])
    names = ("clinical",) * 10 + ("molecular",) * 15 + ("imaging",) * noise
    for block in ("molecular", "imaging") if lacking else ():
        X[np.ix_(rng.random(n) < lacking, np.array(names) == block)] = np.nan
    columns = tuple(f"{b}{j}" for j, b in enumerate(names))
    predictors = Predictors(X, columns, names, np.zeros((n, 0), dtype=np.int64), partial=lacking > 0)
    if kind == "binary":
        return predictors, Target((risk + rng.logistic(size=n) > 0).astype(float))
    died, lost = rng.exponential(np.exp(-risk)), rng.exponential(2, n)
    return predictors, Target((died <= lost).astype(float), np.minimum(died, lost))


def owned(model):
    """Blocks, and which columns are theirs."""
    return [(b, np.array(model.preprocess.blocks) == b) for b in dict.fromkeys(model.preprocess.blocks)]


@pytest.mark.parametrize("kind", ["survival", "binary"])
@pytest.mark.parametrize("l1_ratio", [0, 1])
def test_a_penalty_for_each_block_is_that_of_glmnet(penalised, from_glmnet, kind, l1_ratio):
    table = penalised(False)
    family = CoxNet("breslow") if kind == "survival" else LogisticNet()
    factors = np.repeat([1.0, 4.0, 0.5], 4)
    target = getattr(table, kind)
    coefficients, intercepts = factor_path(
        family, table.X, target, factors / factors.mean(), table.penalties, l1_ratio, 1e-10
    )
    expected = from_glmnet(False)[f"blocks.{kind}.{l1_ratio}"].reshape(8, -1)
    found = coefficients if kind == "survival" else np.column_stack([intercepts, coefficients])
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_weights_of_stacked_scores_are_the_minimum_without_negative_ones(kind):
    rng = np.random.default_rng(2)
    _, target = blocks(2, 80, kind=kind)
    truth = target.event if kind == "binary" else -np.log(target.time + 0.1)
    scores = np.column_stack([truth + rng.normal(size=80), 0.4 * truth + rng.normal(size=80), -truth, np.ones(80)])
    family = CoxNet() if kind == "survival" else LogisticNet()
    weights, intercept = nonnegative_weights(family, scores, target)
    Z = (scores[:, :3] - scores[:, :3].mean(axis=0)) / scores[:, :3].std(axis=0)

    def criterion(w):
        if kind == "survival":
            loss = naive.cox_loss(Z @ w[:3], target.time, target.event, "efron")
        else:
            loss = naive.logistic_loss(Z @ w[:3] + w[3], target.event)
        return loss + 0.5 * (w[:3] @ w[:3])

    start, bounds = np.full(4, 0.1), [(0, None)] * 3 + [(None, None) if kind == "binary" else (0, 0)]
    twin = minimize(criterion, start, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9})
    np.testing.assert_allclose(weights[:3] * scores[:, :3].std(axis=0), twin.x[:3], atol=2e-4)
    assert weights[2] == weights[3] == 0.0
    assert intercept == pytest.approx(twin.x[3] - weights[:3] @ scores[:, :3].mean(axis=0), abs=2e-4)


@pytest.mark.parametrize("l1_ratio", [0.1, 0.5, 0.9])
def test_the_first_penalty_of_the_groups_is_where_the_first_enters(l1_ratio):
    predictors, target = blocks(4, 90, 30)
    net = GroupNet(CoxNet(), predictors.numeric_blocks)
    X = predictors.numeric
    first = first_penalty(net.slopes(X, target), *net.groups, l1_ratio)
    path = net.path(X, target, np.array([1.0001, 0.999]) * first, l1_ratio, 1e-10)
    assert not path.coefficients[0].any()
    assert path.coefficients[1].any()


def test_factors_of_one_block_are_its_principal_components():
    X = np.random.default_rng(1).normal(size=(40, 9)) @ np.random.default_rng(2).normal(size=(9, 9))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    scores = X @ factor_loadings(X, ["a"] * 9, 3)
    U, _, _ = np.linalg.svd(X, full_matrices=False)
    np.testing.assert_allclose(np.abs(scores), np.abs(U[:, :3]) * np.sqrt(40), atol=1e-9)
    twice = np.hstack([X, 5 * X])
    np.testing.assert_allclose(twice @ factor_loadings(twice, ["a"] * 9 + ["b"] * 9, 3), scores, atol=1e-9)


def test_canonical_scores_find_what_two_blocks_share():
    rng = np.random.default_rng(3)
    shared = rng.normal(size=(120, 2))
    A, B = rng.normal(size=(120, 12)), rng.normal(size=(120, 20))
    A[:, :3] += 2 * shared[:, [0]]
    A[:, 3:5] += 2 * shared[:, [1]]
    B[:, :4] += 2 * shared[:, [0]]
    B[:, 4:7] += 2 * shared[:, [1]]
    X = np.hstack([A, B])
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    loadings = canonical_loadings(X, ["a"] * 12 + ["b"] * 20, 2)
    assert loadings.shape == (32, 4)
    found = np.abs(np.corrcoef((X @ loadings).T, shared.T)[:4, 4:])
    assert (found.max(axis=1) > 0.85).all()
    assert (found.max(axis=0) > 0.85).all()


@pytest.mark.parametrize("name", FUSIONS)
def test_every_fusion_is_a_linear_predictor_of_its_columns_and_repeats_itself(name):
    predictors, target = blocks(5, 90, 20, kind="binary")
    model = fit_tuned(predictors, target, QUICK, SEED, model=name)
    assert isinstance(model.fit, LinearFit)
    assert set(model.preprocess.blocks) == {"clinical", "molecular", "imaging"}
    X = model.preprocess.apply(predictors)
    np.testing.assert_allclose(model.predict(predictors), X @ model.fit.coefficient + model.fit.intercept)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-9)
    again = fit_tuned(predictors, target, QUICK, SEED, model=name)
    assert again.predict(predictors).tobytes() == model.predict(predictors).tobytes()
    single = fit_tuned(predictors.of_block("clinical"), target, QUICK, SEED, model=name)
    base = fit_tuned(predictors.of_block("clinical"), target, QUICK, SEED, model=alone(name))
    assert (
        single.predict(predictors.of_block("clinical")).tobytes()
        == base.predict(predictors.of_block("clinical")).tobytes()
    )
    with pytest.raises(FitError, match="columns without blocks"):
        MODELS[name].fit(X, target, {}, 1)


def test_a_block_of_noise_with_ten_times_the_columns_costs_the_fusions_less():
    found = {name: [] for name in ("elastic_net", "ipf_lasso", "sparse_group_lasso", "stacked")}
    for seed in (1, 3):
        predictors, target = blocks(seed)
        for name, values in found.items():
            out = Protocol(QUICK, name).run(predictors, target)
            values.append(fold_statistic(target, out.prediction, out.fold))
            if name == "ipf_lasso":
                factors = out.models[0].setting
                assert factors["factor imaging"] > factors["factor clinical"]
            if name == "stacked":
                size = {b: np.linalg.norm(out.models[0].fit.coefficient[own]) for b, own in owned(out.models[0])}
                assert size["clinical"] > 2 * size["imaging"]
    mean = {name: np.mean(values) for name, values in found.items()}
    for name in ("ipf_lasso", "sparse_group_lasso", "stacked"):
        assert mean[name] > mean["elastic_net"] + 0.01, mean


@pytest.mark.parametrize("name", ["ipf_lasso", "stacked", "factors"])
def test_where_nothing_is_to_be_learned_no_fusion_learns_it(name):
    values = []
    for seed in range(4):
        predictors, target = blocks(seed, 90, 30, effect=0.0)
        out = Protocol(QUICK, name).run(predictors, target)
        values.append(fold_statistic(target, out.prediction, out.fold))
    assert abs(np.mean(values) - 0.5) < 0.06


def test_stacked_blocks_predict_whoever_lacks_one_from_the_others():
    predictors, target = blocks(7, 200, 20, lacking=0.4)
    model = fit_tuned(predictors, target, QUICK, SEED, model="stacked")
    assert isinstance(model.fit, Patterns)
    assert isinstance(model.preprocess, Joined)
    lacks = ~predictors.having("molecular")
    risk = model.predict(predictors)
    other = predictors.numeric.copy()
    other[:, 25:] = 1e3  # whoever has imaging: its values do not matter to those without it
    other[~predictors.having("imaging"), 25:] = np.nan
    changed = Predictors(
        other, predictors.numeric_names, predictors.numeric_blocks, predictors.codes, partial=True
    )  # fmt: skip
    without = ~predictors.having("imaging")
    np.testing.assert_array_equal(model.predict(changed)[without], risk[without])
    own = [c for pattern, c in model.fit.fits.items() if pattern == (True, False, True)]
    molecular = np.array(model.preprocess.blocks) == "molecular"
    assert not own[0].coefficient[molecular].any()
    held = fold_statistic(target, risk, lacks.astype(np.int64))
    assert held > 0.65, "both kinds of patients are ranked"
    # one scale: the survival that is predicted of either kind is what is observed of it
    t = float(np.median(target.time))
    for rows in (lacks, ~lacks):
        curve = kaplan_meier(target.time[rows], target.event[rows])
        observed = curve.survival[np.searchsorted(curve.time, t, side="right") - 1]
        assert model.survival(predictors.take(rows), [t]).mean() == pytest.approx(observed, abs=0.1)


def test_stacked_classes_lacking_a_block_have_probabilities():
    predictors, target = blocks(8, 150, 20, kind="binary", lacking=0.4)
    model = fit_tuned(predictors, target, QUICK, SEED, model="stacked")
    probability = model.probability(predictors)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert probability[:, 1].mean() == pytest.approx(target.event.mean(), abs=0.05)
    nobody = predictors.take(np.arange(2))
    nobody = Predictors(
        np.full_like(nobody.numeric, np.nan), nobody.numeric_names, nobody.numeric_blocks, nobody.codes, partial=True
    )
    rate = target.event.mean()
    np.testing.assert_allclose(model.predict(nobody), np.log(rate / (1 - rate)), err_msg="nothing known, nothing said")
