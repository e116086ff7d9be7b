"""Shapley values: against every coalition, and sums against predictions, model by model."""

import json

import numpy as np
import pytest

from naive.shap import expectation, shapley
from radiolocus.kernels.tree_shap import add_tree_shap, node_cover
from radiolocus.learn.explain import contributions
from radiolocus.learn.models import MODELS
from radiolocus.learn.options import ProtocolOptions
from radiolocus.learn.target import Target


def random_tree(rng, p, depth):
    """Columns repeat on the way to a leaf."""
    nodes, threshold = [[-1, 0, 0]], [0.0]

    def grow(node, level):
        if level == depth or (level > 1 and rng.random() < 0.3):
            return
        left = len(nodes)
        nodes.extend([[-1, 0, 0], [-1, 0, 0]])
        threshold.extend([0.0, 0.0])
        nodes[node], threshold[node] = [int(rng.integers(p)), left, left + 1], float(rng.normal(scale=0.7))
        grow(left, level + 1)
        grow(left + 1, level + 1)

    grow(0, 0)
    return np.array(nodes), np.array(threshold), rng.normal(size=len(nodes))


def test_values_of_a_tree_are_those_of_every_coalition():
    rng = np.random.default_rng(2)
    for p, depth in ((1, 3), (3, 5), (5, 4)):
        nodes, threshold, value = random_tree(rng, p, depth)
        training, X = rng.normal(size=(200, p)), rng.normal(size=(4, p))
        cover = node_cover(training, nodes, threshold)
        cover += 1e-3  # a node that no training subject passes
        out = np.zeros(X.shape)
        base = add_tree_shap(X, nodes, threshold, cover, value, out)

        def game(known, x, tree=(nodes, threshold, cover, value)):
            return expectation(x, known, *tree)

        for x, found in zip(X, out, strict=True):
            np.testing.assert_allclose(found, shapley(lambda known, x=x: game(known, x), p), atol=2e-4)
        np.testing.assert_allclose(base, game(set(), X[0]), atol=1e-2)


def test_values_of_a_tree_are_exact_where_every_node_is_passed():
    rng = np.random.default_rng(3)
    nodes = np.array(
        [[0, 1, 2], [1, 3, 4], [0, 5, 6], [-1, 0, 0], [-1, 0, 0], [2, 7, 8], [-1, 0, 0], [-1] * 3, [-1] * 3]
    )
    threshold = np.array([0.0, 0.2, 1.0, 0, 0, -0.3, 0, 0, 0])
    value, training = rng.normal(size=9), rng.normal(size=(300, 3))
    cover = node_cover(training, nodes, threshold)
    assert cover.min() > 0
    X, out = rng.normal(size=(20, 3)), np.zeros((20, 3))
    base = add_tree_shap(X, nodes, threshold, cover, value, out)
    tree = (nodes, threshold, cover, value)
    for x, found in zip(X, out, strict=True):
        np.testing.assert_allclose(found, shapley(lambda known, x=x: expectation(x, known, *tree), 3), atol=1e-12)
    np.testing.assert_allclose(base, expectation(X[0], set(), *tree), atol=1e-12)


def cohort(kind, n=90):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, 6))
    risk = X[:, 0] + 0.5 * X[:, 1] * X[:, 2]
    if kind == "binary":
        return X, Target((risk + rng.logistic(size=n) > 0).astype(float))
    if kind == "ordinal":
        return X, Target(np.digitize(risk, [-0.5, 0.5]).astype(float), levels=("a", "b", "c"), ordered=True)
    died, lost = rng.exponential(np.exp(-risk)) + 0.01, rng.exponential(2, n)
    return X, Target((died <= lost).astype(float), np.minimum(died, lost))


@pytest.mark.parametrize(
    ("model", "kind", "scale"),
    [
        ("elastic_net", "survival", "linear predictor"),
        ("weibull", "survival", "linear predictor"),
        ("discrete_time", "survival", "linear predictor"),
        ("survival_forest", "survival", "expected events"),
        ("elastic_net", "binary", "linear predictor"),
        ("boosting", "binary", "linear predictor"),
        ("forest", "binary", "probability"),
        ("ordinal", "ordinal", "linear predictor"),
        ("forest", "ordinal", "expected class"),
    ],
)
def test_contributions_add_up_to_the_prediction(model, kind, scale):
    X, target = cohort(kind)
    learner = MODELS[model]
    setting = dict(learner.settings(X[:60], target.take(np.arange(60)), ProtocolOptions())[-1])
    if model == "survival_forest":
        setting["trees"] = 20
    fit = learner.fit(X[:60], target.take(np.arange(60)), setting, 1)
    found = contributions(fit, X[:60], X[60:])
    assert found.scale == scale
    predicted = fit.predict(X[60:])
    if scale == "expected events":
        predicted = np.exp(predicted)
    elif scale == "probability":
        predicted = fit.probability(X[60:])[:, 1]
    np.testing.assert_allclose(found.total, predicted, atol=1e-9)
    unused = np.asarray(fit.coefficient) == 0
    assert np.all(found.value[:, unused] == 0)
    assert np.abs(found.value).mean(axis=0).argmax() == 0
    if scale == "linear predictor" and np.isfinite(fit.coefficient).all():
        game = dict(enumerate(np.asarray(fit.coefficient) * (X[60] - X[:60].mean(axis=0))))
        np.testing.assert_allclose(found.value[0], shapley(lambda s: sum(game[j] for j in s), 6), atol=1e-10)


def test_a_model_that_is_no_sum_is_not_explained():
    X, target = cohort("ordinal")
    fit = MODELS["multinomial"].fit(X, target, MODELS["multinomial"].settings(X, target, ProtocolOptions())[0], 1)
    assert contributions(fit, X, X) is None


@pytest.mark.parametrize("model", ["xgboost_cox", "xgboost_aft"])
def test_xgboost_explains_itself(model):
    pytest.importorskip("xgboost", reason="the optional package xgboost is not installed")
    X, target = cohort("survival")
    fit = MODELS[model].fit(X, target, {"rounds": 30, "depth": 2}, 1)
    found = contributions(fit, X, X[:10])
    np.testing.assert_allclose(found.total, fit.predict(X[:10]), atol=1e-4)


def test_the_kernel_gives_what_xgboost_says_of_its_own_trees():
    xgboost = pytest.importorskip("xgboost", reason="the optional package xgboost is not installed")
    rng = np.random.default_rng(5)
    X = rng.normal(size=(150, 4)).astype(np.float32).astype(np.float64)
    y = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=150)
    settings = {"max_depth": 4, "eta": 0.3, "nthread": 1, "base_score": 0.0}
    booster = xgboost.train(settings, xgboost.DMatrix(X, label=y), num_boost_round=8)
    out, base = np.zeros(X.shape), 0.0
    for text in booster.get_dump(dump_format="json", with_stats=True):
        flat, waiting = {}, [json.loads(text)]
        while waiting:
            node = waiting.pop()
            flat[node["nodeid"]] = node
            waiting += node.get("children", [])
        size = max(flat) + 1
        nodes, threshold, cover, value = np.full((size, 3), -1), np.zeros(size), np.zeros(size), np.zeros(size)
        for k, node in flat.items():
            cover[k] = node["cover"]
            if "leaf" in node:
                value[k] = node["leaf"]
            else:
                nodes[k] = int(node["split"][1:]), node["yes"], node["no"]
                # XGBoost goes left below the threshold, not at it.
                threshold[k] = np.nextafter(np.float32(node["split_condition"]), np.float32(-np.inf))
        base += add_tree_shap(X, nodes.astype(np.int64), threshold, cover, value, out)
    theirs = booster.predict(xgboost.DMatrix(X), pred_contribs=True)
    np.testing.assert_allclose(out, theirs[:, :-1], atol=1e-5)
    np.testing.assert_allclose(base, theirs[0, -1], atol=1e-5)
