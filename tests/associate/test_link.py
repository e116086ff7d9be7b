import shutil
import subprocess

import numpy as np
import polars as pl
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from naive import link as naive
from radiolocus.associate.link import LinkOptions, link
from radiolocus.errors import ConfigError, TableError
from radiolocus.schema import TABLES


def frame(columns, subjects=None):
    n = len(next(iter(columns.values())))
    subjects = subjects or [f"S{i:03d}" for i in range(n)]
    return pl.DataFrame({"subject": subjects, **columns}).with_columns(pl.selectors.float().fill_nan(None))


def words(binary):
    return pl.DataFrame({"marker": list(binary), "kind": ["binary" if b else "continuous" for b in binary.values()]})


def rows(links):
    return {(r["feature"], r["marker"]): r for r in links.table.to_dicts()}


def gaps(rng, values, share):
    return np.where(rng.random(len(values)) < share, np.nan, values)


def messy(seed, n=60):
    """Features, markers and covariates of several kinds, with ties and with gaps of their own."""
    rng = np.random.default_rng(seed)
    age, dose = rng.normal(60, 9, n), rng.integers(0, 4, n).astype(float)
    sex = rng.choice(["f", "m"], n)
    mutant = (rng.random(n) < 0.3).astype(float)
    features = {
        "smooth": rng.normal(size=n) + 0.8 * mutant + 0.03 * age,
        "tied": np.round(rng.normal(size=n)) * 1e-7,
        "large": rng.lognormal(3, 1, n) + 1e6,
        "gappy": gaps(rng, rng.normal(size=n) + 0.5 * dose, 0.15),
    }
    markers = {
        "mutant": mutant,
        "tested": gaps(rng, (rng.random(n) < 0.5).astype(float), 0.1),
        "dose": dose,
        "expression": gaps(rng, rng.normal(size=n) + 0.01 * age, 0.2),
    }
    return features, markers, {"age": age, "sex": sex, "dose2": gaps(rng, rng.normal(size=n), 0.05)}


BINARY = {"mutant": True, "tested": True, "dose": False, "expression": False}


@pytest.mark.parametrize("covariates", [(), ("age", "sex", "dose2")])
@pytest.mark.parametrize("test", ["linear", "rank"])
def test_every_number_is_that_of_the_slow_twin(covariates, test):
    features, markers, clinical = messy(5)
    found = link(
        frame(features),
        frame(markers),
        words(BINARY),
        frame(clinical),
        LinkOptions(covariates=covariates, binary_test=test, continuous_test=test),
    )
    numeric = {"age": clinical["age"], "sex": (clinical["sex"] == "m").astype(float), "dose2": clinical["dose2"]}
    expected = naive.link(
        features,
        markers,
        BINARY,
        {k: numeric[k] for k in covariates},
        binary_test=test,
        continuous_test=test,
        min_n=20,
        min_group=3,
    )
    got = rows(found)
    assert set(got) == set(expected)
    assert len(got) == 16
    for pair, row in got.items():
        one = expected[pair]
        assert row["n"] == one["n"]
        for name in ("estimate", "statistic", "correlation"):
            assert row[name] == pytest.approx(one[name], rel=1e-7, abs=1e-9), (pair, name)
        assert row["standard_error"] == (
            None if one["standard_error"] is None else pytest.approx(one["standard_error"], rel=1e-7)
        )
        assert 10 ** -row["neg_log_10_p_value"] == pytest.approx(one["p"], rel=1e-7)
        assert row["marker_kind"] == ("binary" if BINARY[pair[1]] else "continuous")


def test_tests_without_covariates_are_those_of_scipy():
    features, markers, _ = messy(6)
    y = features["large"]
    results = {
        t: rows(
            link(frame(features), frame(markers), words(BINARY), None, LinkOptions(binary_test=t, continuous_test=t))
        )
        for t in ("linear", "rank")
    }

    def p(test, marker):
        return 10 ** -results[test]["large", marker]["neg_log_10_p_value"]

    point = stats.pointbiserialr(markers["mutant"], y)
    assert p("linear", "mutant") == pytest.approx(point.pvalue, rel=1e-9)
    assert results["linear"]["large", "mutant"]["correlation"] == pytest.approx(point.statistic, rel=1e-9)
    line = stats.linregress(markers["dose"], y)
    row = results["linear"]["large", "dose"]
    scale = np.std(markers["dose"], ddof=1) / np.std(y, ddof=1)
    assert p("linear", "dose") == pytest.approx(line.pvalue, rel=1e-9)
    assert row["estimate"] == pytest.approx(line.slope * scale, rel=1e-9)
    assert row["standard_error"] == pytest.approx(line.stderr * scale, rel=1e-9)
    rho = stats.spearmanr(markers["dose"], y)
    assert p("rank", "dose") == pytest.approx(rho.pvalue, rel=1e-9)
    assert results["rank"]["large", "dose"]["estimate"] == pytest.approx(rho.statistic, rel=1e-9)
    m = markers["mutant"] == 1
    assert p("rank", "mutant") == pytest.approx(stats.mannwhitneyu(y[m], y[~m], method="asymptotic").pvalue, rel=1e-9)
    assert {r["test"] for r in results["linear"].values()} == {"linear"}
    assert {r["test"] for r in results["rank"].values()} == {"rank-sum", "Spearman"}


R_SCRIPT = """
d <- read.csv(commandArgs(TRUE)[1])
line <- summary(lm(scale(y) ~ age + site + b, d))$coefficients["b", ]
dose <- summary(lm(scale(y) ~ age + site + scale(x), d))$coefficients["scale(x)", ]
r <- as.data.frame(lapply(d, function(v) if (is.numeric(v)) rank(v) else v))
part <- summary(lm(y ~ age + site + x, r))$coefficients["x", ]
wide <- wilcox.test(y ~ b, d, exact = FALSE)
rho <- suppressWarnings(cor.test(d$y, d$x, method = "spearman", exact = FALSE))
cat(format(c(line, dose, part[3:4], wide$p.value, rho$estimate), digits = 16), sep = "\\n")
"""


def test_numbers_are_those_of_r(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed (Rscript)")
    rng = np.random.default_rng(18)
    n = 70
    site, age = rng.choice(["A", "B", "C"], n), rng.integers(40, 80, n).astype(float)
    b, x = (rng.random(n) < 0.3) * 1.0, np.round(rng.normal(size=n), 1)
    y = np.round(rng.normal(size=n) + 0.7 * b + 0.02 * age + 0.3 * x, 1)
    pl.DataFrame({"y": y, "b": b, "x": x, "age": age, "site": site}).write_csv(tmp_path / "d.csv")
    (tmp_path / "s.R").write_text(R_SCRIPT)
    done = subprocess.run(
        ["Rscript", "--vanilla", tmp_path / "s.R", tmp_path / "d.csv"], capture_output=True, text=True, check=True
    )
    expected = [float(v) for v in done.stdout.split()]
    clinical = frame({"age": age, "site": site})

    def run(test, covariates):
        options = LinkOptions(covariates=covariates, binary_test=test, continuous_test=test)
        return rows(link(frame({"y": y}), frame({"b": b, "x": x}), words({"b": True, "x": False}), clinical, options))

    def told(row):
        return [row["estimate"], row["standard_error"], row["statistic"], 10 ** -row["neg_log_10_p_value"]]

    adjusted = run("linear", ("age", "site"))
    ranked = run("rank", ("age", "site"))["y", "x"]
    plain = run("rank", ())
    got = [
        *told(adjusted["y", "b"]),
        *told(adjusted["y", "x"]),
        *told(ranked)[2:],
        told(plain["y", "b"])[3],
        plain["y", "x"]["estimate"],
    ]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_two_sample_t_test_is_the_linear_test_of_a_binary_marker():
    features, markers, _ = messy(7)
    row = rows(link(frame(features), frame(markers), words(BINARY)))["smooth", "mutant"]
    m = markers["mutant"] == 1
    test = stats.ttest_ind(features["smooth"][m], features["smooth"][~m])
    assert row["statistic"] == pytest.approx(test.statistic, rel=1e-10)
    difference = features["smooth"][m].mean() - features["smooth"][~m].mean()
    assert row["estimate"] == pytest.approx(difference / features["smooth"].std(ddof=1), rel=1e-10)


def test_table_conforms_is_sorted_and_corrected_over_all_tests():
    features, markers, _ = messy(8)
    table = link(frame(features), frame(markers), words(BINARY)).table
    assert dict(table.schema) == TABLES["link/link"].schema
    p = 10 ** -table["neg_log_10_p_value"].to_numpy()
    assert (np.diff(p) >= 0).all()
    np.testing.assert_allclose(table["bonferroni_p_value"].to_numpy(), np.minimum(p * 16, 1), rtol=1e-12)
    np.testing.assert_allclose(table["q_value"].to_numpy(), stats.false_discovery_control(p), rtol=1e-9)


def test_equal_p_values_are_sorted_by_name_whatever_the_order_of_the_input():
    rng = np.random.default_rng(9)
    y, x = rng.normal(size=30), rng.normal(size=30)
    table = link(frame({"b": y, "a": y}), frame({"n": x, "m": x}), words({"n": False, "m": False})).table
    assert table.select("feature", "marker").rows() == [("a", "m"), ("a", "n"), ("b", "m"), ("b", "n")]
    order = rng.permutation(30)
    shuffled = link(
        frame({"a": y, "b": y})[order.tolist()], frame({"m": x, "n": x}), words({"n": False, "m": False})
    ).table
    assert shuffled.equals(table)


@pytest.mark.parametrize("test", ["linear", "rank"])
def test_threads_do_not_change_a_bit(test):
    rng = np.random.default_rng(19)
    n = 187
    f = frame({f"f{i}": rng.normal(size=n) for i in range(300)})
    m = frame({f"x{i}": rng.normal(size=n) for i in range(200)})
    kinds = words(dict.fromkeys(m.columns[1:], False))
    options = LinkOptions(covariates=("age",), continuous_test=test)
    tables = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            tables.append(link(f, m, kinds, frame({"age": np.arange(n)}), options).table)
    assert tables[0].equals(tables[1])


def test_only_common_subjects_count():
    rng = np.random.default_rng(10)
    f = frame({"y": rng.normal(size=40)})
    m = frame({"x": rng.normal(size=40)}, subjects=[f"S{i:03d}" for i in range(15, 55)])
    (row,) = link(f, m, words({"x": False})).table.to_dicts()
    assert row["n"] == 25
    both = f.join(m, on="subject")
    assert row["correlation"] == pytest.approx(stats.spearmanr(both["y"], both["x"]).statistic)


def test_pairs_that_cannot_be_tested_are_counted_by_reason():
    rng = np.random.default_rng(11)
    n = 40
    features = {"flat": np.full(n, 0.1), "short": np.where(np.arange(n) < 19, 1.0, np.nan) * rng.normal(size=n)}
    features |= {"age2": np.arange(n) * 2.0 + 3, "good": rng.normal(size=n)}
    markers = {"rare": (np.arange(n) < 2) * 1.0, "never": np.zeros(n), "x": rng.normal(size=n)}
    binary = {"rare": True, "never": True, "x": False}
    options = LinkOptions(covariates=("age",), continuous_test="linear")
    links = link(frame(features), frame(markers), words(binary), frame({"age": np.arange(n) * 1.0}), options)
    assert list(rows(links)) == [("good", "x")]
    said = {p.got: p for p in links.problems}
    assert len(said) == 4
    assert sum(p.count for p in links.problems) == 11
    assert any(g.startswith("3 pairs not tested: fewer than 20 subjects") for g in said)
    assert any(g.startswith("6 pairs not tested: a feature that is constant") and "(age2, flat)" in g for g in said)
    assert any(g.startswith("1 pairs not tested: fewer than 3 subjects with") and "(rare)" in g for g in said)
    assert any(g.startswith("1 pairs not tested: a marker that is constant") and "(never)" in g for g in said)
    assert all(p.severity == "no value" and p.stage == "link" for p in links.problems)


@pytest.mark.parametrize("covariates", [(), ("age",)])
def test_constant_values_stop_no_test(covariates):
    rng = np.random.default_rng(17)
    n = 40
    options = LinkOptions(covariates=covariates, binary_test="rank", continuous_test="rank")
    links = link(
        frame({"flat": np.ones(n), "good": rng.normal(size=n)}),
        frame({"never": np.zeros(n), "m": np.arange(n) % 2.0, "same": np.full(n, 3.0), "x": rng.normal(size=n)}),
        words({"never": True, "m": True, "same": False, "x": False}),
        frame({"age": np.ones(n)}),
        options,
    )
    assert set(rows(links)) == {("good", "m"), ("good", "x")}
    assert sorted(p.count for p in links.problems) == [2, 4]


def test_subjects_without_a_covariate_are_named():
    features, markers, _ = messy(12)
    ages = [None, *range(59)]
    links = link(frame(features), frame(markers), words(BINARY), frame({"age": ages}), LinkOptions(covariates=("age",)))
    assert max(links.table["n"]) == 59
    (problem,) = links.problems
    assert (problem.count, problem.severity, problem.item) == (1, "set aside", "age")
    assert "S000" in problem.got


def test_covariates_that_lose_a_level_among_the_tested_do_not_stop_the_test():
    rng = np.random.default_rng(13)
    n = 60
    site = np.array(["A", "B", "C"])[np.arange(n) // 20]
    x = np.where(site == "C", np.nan, rng.normal(size=n))
    y = rng.normal(size=n)
    (row,) = link(
        frame({"y": y}),
        frame({"x": x}),
        words({"x": False}),
        frame({"site": site}),
        LinkOptions(covariates=("site",), continuous_test="linear"),
    ).table.to_dicts()
    keep = site != "C"
    beta, error, df = naive.regress(y[keep], x[keep], [(site[keep] == "B") * 1.0])
    assert df == 37
    assert row["statistic"] == pytest.approx(beta / error, rel=1e-9)


def test_infinite_values_are_missing_and_said():
    rng = np.random.default_rng(14)
    y = rng.normal(size=30)
    y[[3, 7]] = np.inf, -np.inf
    links = link(frame({"y": y}), frame({"x": rng.normal(size=30)}), words({"x": False}))
    assert links.table["n"].to_list() == [28]
    assert "2 infinite" in links.problems[0].got
    assert (links.problems[0].where, links.problems[0].count) == ("features", 2)


def test_no_common_subject_gives_an_empty_table_and_a_reason():
    links = link(frame({"y": [1.0, 2.0]}), frame({"x": [1.0, 2.0]}, ["a", "b"]), words({"x": False}))
    assert links.table.height == 0
    assert links.problems[0].count == 1
    assert link(frame({"y": [1.0]}).select("subject"), frame({"x": [1.0]}), words({"x": False})).table.height == 0


@pytest.mark.parametrize(
    ("change", "error", "got"),
    [
        ({"features": frame({"y": [1.0, 2.0]}, ["a", "a"])}, TableError, "1 subjects more than once (a)"),
        ({"features": frame({"y": ["1", "2"]})}, TableError, "not numbers (y)"),
        ({"markers": pl.DataFrame({"x": [1.0]})}, TableError, "no column 'subject'"),
        ({"dictionary": words({"z": True})}, TableError, "no known kind (x)"),
        ({"dictionary": words({"x": True})}, TableError, "other than 0 and 1 in binary markers (x)"),
        ({"options": LinkOptions(covariates=("agee",))}, ConfigError, "no column 'agee'"),
        ({"options": LinkOptions(covariates=("agee",)), "covariates": None}, ConfigError, "no column 'agee'"),
        (
            {"options": LinkOptions(covariates=("age",)), "covariates": frame({"age": [1, 2]}, ["a", "a"])},
            TableError,
            "more than once",
        ),
    ],
)
def test_input_that_cannot_be_used(change, error, got):
    given = {
        "features": frame({"y": [1.0, 2.0]}),
        "markers": frame({"x": [0.0, 2.0]}),
        "dictionary": words({"x": False}),
        "covariates": frame({"age": [1.0, 2.0]}),
        "options": None,
    }
    with pytest.raises(error) as caught:
        link(**(given | change))
    assert got in caught.value.got
    if "agee" in got:
        assert ("did you mean 'age'?" in caught.value.todo) == (change.get("covariates", 1) is not None)


@pytest.mark.parametrize(
    "options",
    [{"binary_test": "t"}, {"continuous_test": "pearson"}, {"min_n": 3}, {"min_group": 0}, {"covariates": ("a", "a")}],
)
def test_options_that_cannot_be_followed(options):
    with pytest.raises(ConfigError) as caught:
        LinkOptions(**options)
    assert caught.value.allowed
    assert caught.value.where.startswith("link")


@pytest.mark.parametrize("covariates", [(), ("age",)])
@pytest.mark.parametrize("test", ["linear", "rank"])
def test_chance_alone_gives_uniform_p_values(covariates, test):
    rng = np.random.default_rng(15)
    n, p, q = 60, 60, 60
    age = rng.normal(size=n)
    # Skewed features that depend on age, as do the markers: without adjustment that would be a false link.
    features = {f"f{i}": np.exp(rng.normal(size=n) + 0.5 * age * bool(covariates)) for i in range(p)}
    markers = {f"b{i}": (rng.random(n) < 0.3) * 1.0 for i in range(q // 2)}
    markers |= {f"c{i}": rng.normal(size=n) + age * bool(covariates) for i in range(q // 2)}
    binary = {name: name[0] == "b" for name in markers}
    options = LinkOptions(covariates=covariates, binary_test=test, continuous_test=test)
    table = link(frame(features), frame(markers), words(binary), frame({"age": age}), options).table
    assert table.height == p * q
    share = (table["neg_log_10_p_value"].to_numpy() > -np.log10(0.05)).mean()
    # Log-normal features given a linear covariate are only roughly normal: the linear test may be off by a little.
    assert 0.038 < share < 0.062
    assert table["q_value"].min() > 0.01


def test_planted_links_are_found_and_others_are_not():
    rng = np.random.default_rng(16)
    n = 150
    features = {f"f{i:02d}": rng.normal(size=n) for i in range(40)}
    markers = {f"m{i:02d}": (rng.random(n) < 0.25) * 1.0 for i in range(20)}
    markers |= {f"x{i:02d}": rng.normal(size=n) for i in range(20)}
    features["f07"] = features["f07"] + 1.2 * markers["m03"]
    features["f21"] = np.exp(features["f21"] - 0.6 * markers["x11"])
    table = link(frame(features), frame(markers), words({m: m[0] == "m" for m in markers})).table
    hits = table.filter(pl.col("q_value") < 0.05)
    assert set(hits.select("feature", "marker").rows()) == {("f07", "m03"), ("f21", "x11")}
    effect = dict(zip(hits["marker"], hits["estimate"], strict=True))
    assert 0.7 < effect["m03"] < 1.5
    assert -0.75 < effect["x11"] < -0.3
