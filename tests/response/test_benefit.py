"""Choice of therapy on tables: known answers, multiplicity, nothing where there is nothing, mistakes named."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from radiolocus.errors import ConfigError
from radiolocus.model import Endpoint
from radiolocus.response.benefit import NO_EVIDENCE, BenefitOptions, benefit
from radiolocus.response.benefit_rates import arm_rates
from radiolocus.schema import TABLES
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.effects import rate_difference
from radiolocus.stats.interaction import interaction_test


def trial(n=300, interaction=0.0, seed=1):
    """Two arms against control; marker ``m`` changes what arm A does, by `interaction`."""
    rng = np.random.default_rng(seed)
    m, other, arm = rng.normal(size=n), rng.normal(size=n), rng.choice(["A", "B", "control"], n)
    site = rng.choice(["x", "y", "z"], n)
    eta = -0.3 + 0.5 * other + interaction * m * (arm == "A")
    event = (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    time = rng.exponential(20 * np.exp(-eta)) + 0.1
    died = (time < 40).astype(float)
    subject = tuple(f"S{i:03d}" for i in range(n))
    frame = pl.DataFrame({"subject": subject, "arm": arm, "m": m, "other": other, "site": site})
    return (
        frame,
        Endpoint("response", "binary", subject, event),
        Endpoint("survival", "survival", subject, died, np.minimum(time, 40), "months"),
    )


def options(**given):
    told = {"treatment": "arm", "control": "control", "markers": ("m", "other"), "randomised": True, "repeats": 1}
    told |= {"endpoints": ("response",), "favourable": ("response",), "bootstrap": 20, "learners": ("dr", "t")}
    return BenefitOptions(**(told | given))


def rows(found, name, **where):
    return found.tables[f"benefit/{name}"].filter(*(pl.col(k) == v for k, v in where.items()))


def test_a_planted_interaction_is_found():
    frame, response, _ = trial(interaction=2.0)
    found = benefit([response], frame, options())
    verdicts = dict(found.tables["benefit/verdicts"].select("arm", "verdict").iter_rows())
    assert "the effect depends on m (q < 0.05)" in verdicts["A"]
    assert "tells out of fold who benefits more" in verdicts["A"]
    assert verdicts["B"] == NO_EVIDENCE
    told = rows(found, "interactions", arm="A", marker="m").row(0, named=True)
    assert told["reading"] == "predictive"
    both = np.isin(frame["arm"], ["A", "control"])
    z = frame["m"].to_numpy()[both]
    own = interaction_test(response.event[both], frame["arm"].to_numpy()[both] == "A", (z - z.mean()) / z.std(ddof=1))
    assert told["neg_log_10_p_value"] == pytest.approx(own.neg_log10_p)
    assert rows(found, "interactions", arm="all arms", marker="m")["df"][0] == 2
    # Prognostic: goes with the outcome under control, whatever the treatment.
    assert rows(found, "interactions", arm="B", marker="other")["reading"][0] in ("prognostic", "neither shown")
    curve = rows(found, "curve", arm="A", learner="DR-learner")["estimate"].to_list()
    assert curve[0] > curve[-1]
    assert rows(found, "heterogeneity", arm="A", learner="DR-learner")["beats_alike"][0]
    assert set(found.tables) == {name for name in TABLES if name.startswith("benefit/")}


def test_where_nobody_benefits_differently_it_says_so():
    said = []
    for seed in range(12):
        frame, response, _ = trial(seed=seed)
        found = benefit([response], frame, options(learners=("dr",)))
        said += (found.tables["benefit/verdicts"]["verdict"] == NO_EVIDENCE).to_list()
        assert not rows(found, "heterogeneity")["beats_alike"].any()
    # Four tests a run at a false discovery rate of 5 %, and one of calibration: some false alarms are due.
    assert np.mean(said) >= 0.75


def test_multiplicity_counts_within_families():
    frame, response, _ = trial(interaction=1.0)
    one = benefit([response], frame, options(rule_arms=("A",)))
    two = benefit([response], frame, options(rule_arms=("A",), families={"own": ("m",)}))
    p = 10 ** -rows(one, "interactions", arm="A", marker="m")["neg_log_10_p_value"][0]
    assert rows(one, "interactions", arm="A", marker="m")["bonferroni_p_value"][0] == pytest.approx(min(1, 4 * p))
    assert rows(two, "interactions", arm="A", marker="m")["bonferroni_p_value"][0] == pytest.approx(min(1, 2 * p))
    assert rows(two, "interactions", arm="A", marker="m")["family"][0] == "own"


def test_subgroups_are_counted():
    frame, response, _ = trial()
    found = benefit([response], frame, options(markers=("site",), rule_arms=("A",)))
    for told in rows(found, "subgroups", arm="A").iter_rows(named=True):
        pair = []
        for arm in ("A", "control"):
            here = ((frame["arm"] == arm) & (frame["site"] == told["level"])).to_numpy()
            pair.append((int(response.event[here].sum()), int(here.sum())))
        assert (told["events_treated"], told["n_treated"]) == pair[0]
        assert (told["events_control"], told["n_control"]) == pair[1]
        own = rate_difference(*pair)
        assert told["difference_lower"] == pytest.approx(own.lower)
        (x, n), (y, k) = pair
        assert told["ratio"] == pytest.approx(x * (k - y) / ((n - x) * y))
    assert rows(found, "interactions", arm="A")["df"].to_list() == [2]


def test_survival_by_cox_and_at_a_horizon():
    frame, _, survival = trial(interaction=1.5)
    found = benefit([survival], frame, options(endpoints=("survival",), favourable=(), rule_arms=("A",), horizon=12.0))
    assert rows(found, "interactions", arm="A", marker="m")["effect"][0] == "log hazard ratio"
    assert rows(found, "interactions", arm="A", marker="m")["q_value"][0] < 0.05
    both = frame["arm"].is_in(["A", "control"]).to_numpy()
    here = both & (frame["m"] <= frame["m"].median()).to_numpy()
    own = fit_cox(survival.time[here], survival.event[here], (frame["arm"].to_numpy() == "A")[here].astype(float))
    low = rows(found, "subgroups", arm="A", marker="m", order=0)
    assert low["ratio"][0] == pytest.approx(np.exp(own.coefficient[0]))
    effect = rows(found, "effects", arm="A", estimator="unadjusted").row(0, named=True)
    assert effect["scale"] == "probability of no survival by 12 months"
    # Nobody is censored before the horizon: pseudo-observations are the observed survival.
    alive = survival.time > 12
    arm = frame["arm"].to_numpy()
    assert effect["estimate"] == pytest.approx(alive[arm == "A"].mean() - alive[arm == "control"].mean())


def test_favourable_turns_the_sign():
    frame, response, _ = trial(interaction=1.0)
    good, bad = (benefit([response], frame, options(favourable=f, rule_arms=("A",))) for f in (("response",), ()))
    for name in ("unadjusted", "doubly robust"):
        one, two = (rows(f, "effects", arm="A", estimator=name)["estimate"][0] for f in (good, bad))
        assert one == pytest.approx(-two)


def test_an_observational_cohort_is_adjusted_and_named():
    rng = np.random.default_rng(4)
    n = 600
    ill = rng.normal(size=n)
    given = rng.random(n) < 1 / (1 + np.exp(-2.0 * ill))
    event = (rng.random(n) < 1 / (1 + np.exp(-1.5 * ill))).astype(float)  # treatment does nothing
    subject = tuple(f"S{i}" for i in range(n))
    frame = pl.DataFrame(
        {"subject": subject, "arm": np.where(given, "A", "control"), "ill": ill, "m": rng.normal(size=n)}
    )
    told = options(markers=("m",), randomised=False, confounders=("ill",), endpoints=(), favourable=())
    found = benefit([Endpoint("death", "binary", subject, event)], frame, told)
    effect = {r["estimator"]: r for r in found.tables["benefit/effects"].iter_rows(named=True)}
    assert effect["unadjusted"]["upper"] < 0  # looks like harm
    assert effect["overlap-weighted"]["lower"] < 0 < effect["overlap-weighted"]["upper"]
    assert effect["doubly robust"]["lower"] < 0 < effect["doubly robust"]["upper"]
    gap = rows(found, "balance", covariate="ill").row(0, named=True)
    assert abs(gap["difference"]) > 0.5 > 1e-6 > abs(gap["difference_weighted"])
    checks = {r["check"]: r["verdict"] for r in found.tables["benefit/checks"].iter_rows(named=True)}
    assert checks["confounding by indication"] in ("suspect", "leak")
    assert checks["baseline imbalance"] == "suspect"
    assert checks["positivity"] in ("suspect", "leak")


def test_few_subjects_end_an_arm_and_not_the_study():
    frame, response, _ = trial()
    frame = frame.with_columns(
        pl.when(pl.int_range(pl.len()) < 7).then(pl.lit("C")).otherwise(pl.col("arm")).alias("arm")
    )
    found = benefit([response], frame, options())
    aside = [p for p in found.problems if p.severity == "set aside" and p.item == "response: C"]
    assert len(aside) == 1
    assert "7 subjects in the smaller group" in aside[0].got
    assert "A" in rows(found, "policy")["arm"].to_list()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"treatment": "arme"}, "no column 'arme'.*arm"),
        ({"control": "placebo"}, "arm = placebo, which nobody has.*A, B, control"),
        ({"markers": ("q*",)}, "nothing is called 'q\\*'.*benefit.markers|benefit.markers.*nothing is called"),
        ({"where": {"site": ("w",)}}, "site = w, which nobody has.*x, y, z"),
        ({"endpoints": ("answer",)}, "unknown endpoint 'answer'"),
        ({"favourable": ("survival",), "endpoints": ()}, "of kind survival"),
    ],
)
def test_mistakes_are_named(given, message):
    frame, response, survival = trial(n=60)
    with pytest.raises(ConfigError, match=message):
        benefit([response, survival], frame, options(**given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arms": ("control",)}, "arms = "),
        ({"confounders": ("m",)}, "none where treatment was drawn by lot"),
        ({"randomised": False, "strata": ("site",)}, "with randomised = true only"),
        ({"folds": 1}, "folds = 1"),
        ({"trim": 0.6}, "trim = 0.6"),
        ({"threshold": -1.0}, "threshold = -1"),
        ({"horizon": 0.0}, "horizon = 0"),
        ({"markers": ()}, "at least one name or pattern"),
        ({"arms": ("A",), "rule_arms": ("B",)}, r"rule_arms = \['B'\]"),
    ],
)
def test_options_that_cannot_be(given, message):
    with pytest.raises(ConfigError, match=message):
        options(**given)


def test_where_and_missing_treatment_are_told():
    frame, response, _ = trial(n=200)
    frame = frame.with_columns(pl.when(pl.int_range(pl.len()) < 3).then(None).otherwise(pl.col("arm")).alias("arm"))
    found = benefit([response], frame, options(where={"site": ("x", "y")}, arms=("A",), learners=("t",)))
    said = [p.got for p in found.problems if p.severity == "note"]
    assert any("left out: site is not x or y" in s for s in said)
    assert any("left out: no arm" in s for s in said)
    assert any("left out: in other arms" in s for s in said)


def ispy2(data):
    path = data("ispy2/combined_clin_radiogenomic.csv")
    frame = pl.read_csv(path, infer_schema_length=None, null_values=["NA", ""])
    frame = frame.rename({"patientid": "subject"}).with_columns(pl.col("subject").cast(pl.String))
    event = frame["pCR"].to_numpy().astype(float)
    return frame, Endpoint("pcr", "binary", tuple(frame["subject"]), event)


def test_ispy2_facts(data):
    """Published counts and what R says of them: see the README of the data."""
    frame, pcr = ispy2(data)
    assert (int(pcr.event.sum()), pcr.event.size) == (315, 982)
    rate = dict(frame.filter(HER2=0).group_by("Arm..short.name.").agg(pl.col("pCR").mean()).iter_rows())
    assert (round(rate["Pembro"], 2), round(rate["Ctr"], 2)) == (0.45, 0.17)
    told = options(
        treatment="Arm..short.name.", control="Ctr", markers=("Immune.",), where={"HER2": (0,)}, strata=("HR", "MP2"),
        endpoints=("pcr",), favourable=("pcr",), arms=("Pembro",),
    )  # fmt: skip
    found = benefit([pcr], frame, told)
    test = found.tables["benefit/interactions"].row(0, named=True)
    assert test["n"] == 246
    assert 10 ** -test["neg_log_10_p_value"] == pytest.approx(1.47e-4, rel=0.005)
    sub = found.tables["benefit/subgroups"]
    rates = sub.select(
        a=pl.col("events_control") / pl.col("n_control"), b=pl.col("events_treated") / pl.col("n_treated")
    )
    assert [(round(100 * a), round(100 * b)) for a, b in rates.iter_rows()] == [(13, 11), (21, 79)]
    assert rows(found, "heterogeneity", learner="DR-learner")["q_value"][0] < 0.001


def test_rates_of_the_arms_are_counted_over_everybody_and_by_level():
    frame, response, survival = trial(60)
    frame = frame.with_columns(arm=pl.when(pl.col("subject") == "S000").then(None).otherwise("arm"))
    event = response.event.copy()
    event[1] = np.nan
    known = Endpoint("response", "binary", response.subject, event)
    asked = options(rates_by=("site",), where={"site": ("x",)}, endpoints=())
    rates = arm_rates(frame, [known, survival], asked)
    assert dict(rates.schema) == TABLES["benefit/rates"].schema
    assert set(rates["endpoint"]) == {"response"}
    assert rates["arm"].unique(maintain_order=True).to_list() == ["control", "A", "B", "everybody"]
    for row in rates.iter_rows(named=True):
        here = [
            e
            for e, arm, site in zip(event, frame["arm"], frame["site"], strict=True)
            if arm is not None and row["arm"] in (arm, "everybody") and row["level"] in (site, "everybody") and e == e
        ]
        assert (row["events"], row["n"]) == (sum(here), len(here))
        exact = binomtest(row["events"], row["n"]).proportion_ci(method="exact")
        assert (row["lower"], row["upper"]) == pytest.approx((exact.low, exact.high))
        assert row["lower"] < row["wilson_lower"] or row["events"] == 0
    with pytest.raises(ConfigError, match=r"no column 'sit'.*did you mean 'site'"):
        arm_rates(frame, [known], options(rates_by=("sit",)))


def test_markers_that_were_selected_on_an_endpoint_are_not_asked_about_it():
    frame, response, survival = trial()
    chosen = options(selected_on={"oth*": ("response",)})
    with pytest.raises(ConfigError, match=r"'other' \(clinical; 1 such\) was selected on 'response'"):
        benefit([response, survival], frame, chosen)
    assert benefit([response, survival], frame, options(selected_on={"m": ("survival",)})).tables
    with pytest.raises(ConfigError, match="'age' is no predictor"):
        benefit([response], frame, options(selected_on={"age": ("response",)}))


def test_a_response_by_our_own_calls_is_good_without_being_named():
    frame, response, _ = trial(interaction=2.0)
    made = Endpoint("orr", "binary", response.subject, response.event, unit="days", decided=np.zeros(300))
    ours = benefit([made], frame, options(endpoints=("orr",), favourable=(), learners=("dr",)))
    named = benefit([response], frame, options(learners=("dr",)))
    columns = ("arm", "estimator", "estimate")
    assert ours.tables["benefit/effects"].select(columns).equals(named.tables["benefit/effects"].select(columns))
