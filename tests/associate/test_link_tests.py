"""Links by logistic, ordinal and distance tests, their intervals, and what is adjusted for."""

import shutil
import subprocess

import numpy as np
import polars as pl
import pytest
from scipy import special, stats

from radiolocus.associate.link import LinkOptions, link
from radiolocus.associate.link_families import feature_family
from radiolocus.associate.link_permute import permute_distances
from radiolocus.errors import ConfigError, TableError
from radiolocus.stats.distance import distance_correlation, neg_log10_p_distance, neg_log10_p_distance_t
from radiolocus.stats.firth import fit_firth
from radiolocus.stats.maxt import permutations_of


def frame(columns):
    n = len(next(iter(columns.values())))
    subjects = [f"S{i:03d}" for i in range(n)]
    return pl.DataFrame({"subject": subjects, **columns}).with_columns(pl.selectors.float().fill_nan(None))


def words(**kinds):
    return pl.DataFrame({"marker": list(kinds), "kind": list(kinds.values())})


def rows(links):
    return {(r["feature"], r["marker"]): r for r in links.table.to_dicts()}


R_SCRIPT = """
suppressMessages(library(MASS))
d <- read.csv(commandArgs(TRUE)[1])
d$x <- d$f / sd(d$f)
a <- glm(b ~ age + x, binomial, d, epsilon = 1e-12); a0 <- glm(b ~ age, binomial, d, epsilon = 1e-12)
s <- summary(a)$coefficients["x", ]
o <- polr(factor(g) ~ x + age, d, Hess = TRUE, control = list(reltol = 1e-15))
o0 <- polr(factor(g) ~ age, d, control = list(reltol = 1e-15))
e <- summary(o)$coefficients["x", ]
l <- confint.default(lm(scale(f) ~ age + b, d))  # checks that the interval of t is another one
t <- confint(lm(scale(f) ~ age + b, d))["b", ]
cat(format(c(s[1:2], anova(a0, a, test = "Chisq")[2, 5], e[1:2], 2 * as.numeric(logLik(o) - logLik(o0)), t),
           digits = 16), sep = "\\n")
"""


def example(seed=2, n=90):
    rng = np.random.default_rng(seed)
    age, f = rng.normal(60, 9, n), rng.normal(5, 3, n)
    b = (rng.random(n) < special.expit(0.3 * (f - 5) + 0.03 * (age - 60))) * 1.0
    g = np.digitize(0.5 * (f - 5) + rng.logistic(size=n), [-1.5, 0.3, 2.0]) + 1.0
    return age, f, b, g


def test_logistic_and_ordinal_links_are_those_of_r(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed (Rscript)")
    age, f, b, g = example()
    pl.DataFrame({"f": f, "b": b, "g": g, "age": age}).write_csv(tmp_path / "d.csv")
    (tmp_path / "s.R").write_text(R_SCRIPT)
    done = subprocess.run(
        ["Rscript", "--vanilla", tmp_path / "s.R", tmp_path / "d.csv"], capture_output=True, text=True, check=True
    )
    log_or, error, p, ordinal, ordinal_error, ratio, lower, upper = (float(v) for v in done.stdout.split())
    options = LinkOptions(covariates=("age",), binary_test="logistic", ordinal=("g",))
    found = rows(
        link(frame({"f": f}), frame({"b": b, "g": g}), words(b="binary", g="continuous"), frame({"age": age}), options)
    )
    one, two = found["f", "b"], found["f", "g"]
    assert (one["test"], two["test"], two["marker_kind"]) == ("logistic", "proportional odds", "ordinal")
    assert (one["estimate"], one["standard_error"]) == pytest.approx((log_or, error), rel=1e-6)
    assert 10 ** -one["neg_log_10_p_value"] == pytest.approx(p, rel=1e-6)
    assert one["lower"] == pytest.approx(log_or - 1.959964 * error, rel=1e-5)
    assert (two["estimate"], two["standard_error"]) == pytest.approx((ordinal, ordinal_error), rel=1e-4)
    assert two["statistic"] ** 2 == pytest.approx(ratio, rel=1e-6)
    assert two["neg_log_10_p_value"] == pytest.approx(-np.log10(stats.chi2.sf(ratio, 1)), rel=1e-6)
    linear = rows(link(frame({"f": f}), frame({"b": b}), words(b="binary"), frame({"age": age}),
                       LinkOptions(covariates=("age",))))["f", "b"]  # fmt: skip
    assert (linear["lower"], linear["upper"]) == pytest.approx((lower, upper), rel=1e-8)


def test_separated_classes_are_fitted_by_firth():
    rng = np.random.default_rng(3)
    f = rng.normal(size=40)
    b = (f > 0.4) * 1.0
    row = rows(link(frame({"f": f}), frame({"b": b}), words(b="binary"), None, LinkOptions(binary_test="logistic")))[
        "f", "b"
    ]
    fit = fit_firth(b, f / f.std(ddof=1))
    assert row["test"] == "logistic, Firth"
    assert row["estimate"] == pytest.approx(fit.coefficient[0], rel=1e-6)
    assert row["standard_error"] == pytest.approx(fit.standard_error[0], rel=1e-6)
    assert row["neg_log_10_p_value"] == pytest.approx(fit.neg_log10_p[0], rel=1e-6)


def test_separated_ordinal_classes_are_told():
    f = np.arange(40.0)
    g = np.repeat([1.0, 2.0, 3.0, 4.0], 10)
    links = link(frame({"f": f, "r": np.sin(f)}), frame({"g": g}), words(g="ordinal"), None, LinkOptions())
    assert set(rows(links)) == {("r", "g")}
    assert "no maximum" in links.problems[0].got
    rare = np.where(np.arange(40) < 2, 9.0, np.arange(40) % 3)
    links = link(frame({"r": np.sin(f)}), frame({"g": rare}), words(g="ordinal"), None, LinkOptions())
    assert links.table.height == 0
    assert "fewer than 3 subjects" in links.problems[0].got


# dcor 0.7: u_distance_correlation_sqr and distance_correlation_t_test of these ten pairs
X = np.array([1.2, 0.4, -0.7, 3.1, 2.2, 0.1, -1.5, 0.9, 1.7, -0.3])
Y = np.array([0.3, 0.1, 0.8, 4.1, 2.9, 0.2, 2.2, 0.5, 1.1, 0.6])


def test_distance_correlation_is_that_of_dcor():
    r = distance_correlation(X[:, None], Y[:, None])
    assert r[0, 0] == pytest.approx(0.2020174355710444, rel=1e-12)
    assert 10 ** -neg_log10_p_distance_t(r, 10)[0, 0] == pytest.approx(0.11869062737846436, rel=1e-9)
    assert 10 ** -neg_log10_p_distance(r, 10)[0, 0] == pytest.approx(stats.chi2.sf(10 * r[0, 0] + 1, 1), rel=1e-9)


def test_distance_correlation_from_its_definition_and_its_laws():
    rng = np.random.default_rng(4)
    A, B = rng.normal(size=(9, 3)), np.round(rng.normal(size=(9, 2)))

    def centred(x):
        d = np.array([[abs(a - b) for b in x] for a in x])
        n = len(x)
        mean = d.sum(axis=0) / (n - 2)
        whole = d.sum() / ((n - 1) * (n - 2))
        u = [[0.0 if i == j else d[i, j] - mean[i] - mean[j] + whole for j in range(n)] for i in range(n)]
        return np.array(u)

    got = distance_correlation(A, B)
    for i in range(3):
        for j in range(2):
            a, b = centred(A[:, i]), centred(B[:, j])
            assert got[i, j] == pytest.approx((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()), rel=1e-10)
    np.testing.assert_allclose(distance_correlation(3 - 7 * A, B * 2), got, rtol=1e-9)
    np.testing.assert_allclose(np.diag(distance_correlation(A, A)), 1.0)
    assert np.isnan(distance_correlation(np.ones((9, 1)), B)).all()


def test_a_dependence_without_correlation_is_seen_by_distance_alone():
    rng = np.random.default_rng(5)
    x = rng.normal(size=120)
    f = x**2 + 0.3 * rng.normal(size=120)
    given = (frame({"f": f}), frame({"x": x}), words(x="continuous"))
    assert rows(link(*given))["f", "x"]["neg_log_10_p_value"] < 3
    row = rows(link(*given, None, LinkOptions(continuous_test="distance")))["f", "x"]
    assert row["test"] == "distance"
    assert row["neg_log_10_p_value"] > 5
    assert row["standard_error"] is None
    assert row["lower"] is None


@pytest.mark.parametrize("test", ["logistic", "ordinal", "distance", "rank", "linear"])
def test_chance_alone_is_rejected_as_often_as_stated(test):
    """Type I error with a covariate on which feature and marker depend; skewed features."""
    rng = np.random.default_rng(6)
    n, p, q = 100, 40, 12 if test == "ordinal" else 40
    age = rng.normal(size=n)
    f = frame({f"f{i}": rng.gamma(3, size=n) + 0.8 * age for i in range(p)})
    if test in ("logistic", "rank", "linear"):
        m = {f"m{i}": (rng.random(n) < special.expit(age)) * 1.0 for i in range(q)}
        kind = "binary"
    elif test == "ordinal":
        m = {f"m{i}": np.digitize(age + rng.logistic(size=n), [-1, 0.5]) * 1.0 for i in range(q)}
        kind = "ordinal"
    else:
        m = {f"m{i}": age + rng.normal(size=n) for i in range(q)}
        kind = "continuous"
    options = LinkOptions(covariates=("age",), tests=dict.fromkeys(m, test))
    table = link(f, frame(m), words(**dict.fromkeys(m, kind)), frame({"age": age}), options).table
    assert table.height == p * q
    share = (table["neg_log_10_p_value"].to_numpy() > -np.log10(0.05)).mean()
    low, high = (0.02, 0.056) if test == "distance" else (0.036, 0.066)
    assert low < share < high


def test_intervals_cover_what_they_say():
    rng = np.random.default_rng(7)
    n, times = 80, 1200
    b = (np.arange(n) < 30) * 1.0
    shift = 0.7
    f = frame({f"f{i:04d}": rng.normal(size=n) + shift * b for i in range(times)})
    truth = 2 * stats.norm.cdf(shift / np.sqrt(2)) - 1
    table = link(f, frame({"b": b}), words(b="binary"), None, LinkOptions(binary_test="rank")).table
    assert table["test"].unique().to_list() == ["rank-sum"]
    assert table.select(((pl.col("lower") < truth) & (pl.col("upper") > truth)).mean()).item() == pytest.approx(
        0.95, abs=0.02
    )
    x = rng.normal(size=n)
    f = frame({f"f{i:04d}": 0.5 * x + np.sqrt(0.75) * rng.normal(size=n) for i in range(times)})
    # the ranks of a fixed x: Spearman's correlation of a bivariate normal at r = 1/2 is 6/π asin(1/4)
    table = link(f, frame({"x": x}), words(x="continuous")).table
    truth = table["estimate"].mean()
    assert truth == pytest.approx(6 / np.pi * np.arcsin(0.25), abs=0.06)
    assert table.select(((pl.col("lower") < truth) & (pl.col("upper") > truth)).mean()).item() == pytest.approx(
        0.96, abs=0.025
    )


def test_what_volume_explains_goes_when_it_is_adjusted_for():
    rng = np.random.default_rng(8)
    volume = rng.lognormal(size=150)
    x = np.log(volume) + rng.normal(size=150)
    f = {"CT:morph_volume": np.log(volume), "CT:cm_contrast": np.log(volume) + 0.3 * rng.normal(size=150)}
    given = (frame(f), frame({"x": x}), words(x="continuous"), None)
    plain = rows(link(*given, LinkOptions(continuous_test="linear")))
    assert plain["CT:cm_contrast", "x"]["neg_log_10_p_value"] > 10
    links = link(*given, LinkOptions(continuous_test="linear", adjust_features=("CT:morph_volume",)))
    assert set(rows(links)) == {("CT:cm_contrast", "x")}
    assert rows(links)["CT:cm_contrast", "x"]["neg_log_10_p_value"] < 2
    both = frame({"v": np.log(volume)})
    same = link(frame({"CT:cm_contrast": f["CT:cm_contrast"]}), *given[1:3], both,
                LinkOptions(continuous_test="linear", covariates=("v",)))  # fmt: skip
    assert rows(same)["CT:cm_contrast", "x"]["estimate"] == pytest.approx(
        rows(links)["CT:cm_contrast", "x"]["estimate"]
    )
    with pytest.raises(ConfigError) as error:
        link(*given, LinkOptions(adjust_features=("CT:morph_volum",)))
    assert "did you mean 'CT:morph_volume'?" in error.value.todo


def test_permutations_families_and_kept_rows():
    rng = np.random.default_rng(9)
    n = 60
    common = rng.normal(size=n)
    f = {f"CT:{fam}_{i}": common + rng.normal(size=n) for fam in ("cm", "rlm") for i in range(4)}
    m = {f"m{i}": rng.normal(size=n) for i in range(5)} | {"b": (rng.random(n) < 0.4) * 1.0, "d": rng.normal(size=n)}
    m["m0"] += 1.2 * common
    kinds = words(**{k: "binary" if k == "b" else "continuous" for k in m})
    options = LinkOptions(permutations=199, tests={"d": "distance", "m1": "linear"}, seed=4)
    table = link(frame(f), frame(m), kinds, None, options).table
    by = table.partition_by("marker", as_dict=True)
    assert (by["d",]["family_wise_p_value"] >= by["d",]["permutation_p_value"]).all()
    assert (by["m0",]["family_wise_p_value"] <= 0.02).all()
    rest = table.filter(~pl.col("marker").is_in(["m0", "d"]))
    assert (rest["family_wise_p_value"] >= rest["permutation_p_value"]).all()
    # both p-values of a pair tell the same
    near = rest.filter(pl.col("neg_log_10_p_value") < 2)
    np.testing.assert_allclose(near["permutation_p_value"], 10.0 ** -near["neg_log_10_p_value"].to_numpy(), atol=0.11)
    assert set(table["feature_family"]) == {"CT:cm", "CT:rlm"}
    again = link(frame(f), frame(m), kinds, None, options, threads=2).table
    assert again.equals(table)
    links = link(frame(f), frame(m), kinds, None, LinkOptions(keep_p=0.01, families="feature"))
    assert links.table.height < table.height
    assert (links.table["neg_log_10_p_value"] >= 2).all()
    whole = link(frame(f), frame(m), kinds, None, LinkOptions(families="feature"))
    assert links.table.equals(whole.table.head(links.table.height))
    assert links.families["tests"].to_list() == [28, 28]
    assert links.families["selected"].sum() == whole.table["selected"].sum() > 0


def test_names_and_values_that_do_not_fit_are_told():
    f, x = frame({"f": np.arange(30.0)}), frame({"x": np.sin(np.arange(30.0))})
    for options, got in (
        (LinkOptions(ordinal=("y",)), "no marker 'y'"),
        (LinkOptions(tests={"y": "rank"}), "no marker 'y'"),
        (LinkOptions(tests={"x": "logistic"}), "'logistic' for a continuous marker"),
        (LinkOptions(permutations=5, permute_within="site"), "no column 'site'"),
    ):
        with pytest.raises(ConfigError) as error:
            link(f, x, words(x="continuous"), None, options)
        assert got in error.value.got
    with pytest.raises(TableError) as odd:
        link(f, x, words(x="continuous"), None, LinkOptions(ordinal=("x",)))
    assert "other than whole numbers in ordinal markers (x)" in odd.value.got


@pytest.mark.parametrize(
    "options",
    [
        {"scope": "none"},
        {"families": "x"},
        {"permutations": -1},
        {"keep_p": 0.0},
        {"max_set": 2},
        {"min_set": 1},
        {"tests": {"x": "t"}},
        {"batch": "site", "covariates": ("site",)},
        {"adjust_features": ("a", "a")},
        {"ordinal_test": "logistic"},
    ],
)
def test_options_that_cannot_be_followed(options):
    with pytest.raises(ConfigError) as caught:
        LinkOptions(**options)
    assert caught.value.allowed
    assert caught.value.where.startswith("link")


def test_families_of_features():
    assert feature_family("PET:stat_mean") == "PET:stat"
    assert feature_family("CT:wavelet-HHL_firstorder_Mean") == "CT:firstorder"
    assert feature_family("original_shape_Volume") == "shape"
    assert feature_family("volume") == "volume"


def gapped(n=60, seed=7):
    """Five features, two of which depend on x without correlation, one of those with gaps; and a covariate."""
    rng = np.random.default_rng(seed)
    x, age = rng.normal(size=n), rng.normal(size=n)
    F = rng.normal(size=(n, 5)) + 0.5 * age[:, None]
    F[:, 0] += 1.5 * x**2
    F[:, 3] += 1.5 * x**2
    F[::9, 3] = np.nan
    x[5] = np.nan
    return F, x, age


@pytest.mark.parametrize("covariate", [False, True])
def test_distance_tests_are_permuted_as_the_slow_twin_does(covariate):
    F, x, age = gapped()
    options = LinkOptions(continuous_test="distance", permutations=39, seed=3, covariates=("age",) * covariate)
    given = (frame({f"f{j}": F[:, j] for j in range(5)}), frame({"x": x}), words(x="continuous"))
    found = rows(link(*given, frame({"age": age}) if covariate else None, options))
    here = np.flatnonzero(~np.isnan(x))

    def left(values, who):
        basis = np.column_stack([np.ones(who.size), age[who]])
        return values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0] if covariate else values

    free = np.full(x.size, np.nan)
    free[here] = left(x[here], here)

    def statistic(values, j):
        who = here[~np.isnan(F[here, j])]
        a, b = left(F[who, j], who), left(values[who], who)
        return who.size * distance_correlation(a[:, None], b[:, None])[0, 0]

    observed = [statistic(free, j) for j in range(5)]
    drawn = []
    for order in permutations_of(here.size, 39, 3):
        moved = free.copy()
        moved[here] = free[here][order]
        drawn.append([statistic(moved, j) for j in range(5)])
    drawn = np.array(drawn)
    falling = np.argsort(observed)[::-1]
    stepped, worst = {}, 0.0
    for k, j in enumerate(falling):
        worst = max(worst, (1 + (drawn[:, falling[k:]].max(axis=1) >= observed[j] - 1e-9).sum()) / 40)
        stepped[j] = worst
    for j in range(5):
        row = found[f"f{j}", "x"]
        assert row["statistic"] == pytest.approx(observed[j], rel=1e-8)
        assert row["permutation_p_value"] == pytest.approx((1 + (drawn[:, j] >= observed[j] - 1e-9).sum()) / 40)
        assert row["family_wise_p_value"] == pytest.approx(stepped[j])
        assert row["tail_fitted"] is False
    assert {k[0] for k, r in found.items() if r["family_wise_p_value"] <= 0.05} == {"f0", "f3"}


def test_distance_beside_other_tests_has_no_family_wise_p_beyond_its_marker():
    F, x, _ = gapped()
    markers = {"x": x, "y": F[:, 1] + 0.3}
    given = (frame({f"f{j}": F[:, j] for j in range(5)}), frame(markers), words(x="continuous", y="continuous"))
    options = LinkOptions(tests={"x": "distance"}, permutations=39, scope="all")
    found = rows(link(*given, None, options))
    assert found["f0", "x"]["family_wise_p_value"] is None
    assert found["f0", "x"]["permutation_p_value"] == 1 / 40
    assert found["f1", "y"]["family_wise_p_value"] <= 0.05


def test_permuted_distances_are_uniform_under_independence():
    rng = np.random.default_rng(8)
    p, least = [], []
    for k in range(60):
        F = rng.normal(size=(30, 4)) + rng.normal(size=(30, 1))
        options = LinkOptions(permutations=19, seed=k)
        alone, stepped = permute_distances(F, rng.normal(size=30), np.ones(4, bool), np.zeros((30, 0)), options)
        p += alone.tolist()
        least.append(stepped.min())
    assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=0.08)
    assert np.mean(np.array(least) <= 0.2) == pytest.approx(0.2, abs=0.15)
