import nibabel
import numpy as np
import polars as pl
import pytest

from radiolocus.model import Endpoint
from radiolocus.outcome.blocks import read_blocks, target_of
from radiolocus.outcome.options import OutcomeOptions
from radiolocus.outcome.univariate import univariate
from radiolocus.stats.concordance import auc, harrell_c, harrell_c_bootstrap
from radiolocus.stats.cox import fit_cox
from radiolocus.stats.logistic import fit_logistic
from radiolocus.stats.multiplicity import benjamini_hochberg
from radiolocus.stats.resampling import percentile_interval

OPTIONS = OutcomeOptions(clinical=("Age", "Sex", "Grade"), univariate_bootstrap=200)


def judged(cohort, endpoint, frames=None):
    blocks, _ = read_blocks(frames or cohort.frames, OPTIONS)
    known, _ = target_of(cohort.endpoints[endpoint])
    table, problems = univariate(known, blocks, OPTIONS)
    return table, {row["predictor"]: row for row in table.iter_rows(named=True)}, problems


def test_survival_rows_are_the_one_predictor_statistics(cohort):
    table, rows, problems = judged(cohort, "survival")
    endpoint = cohort.endpoints["survival"]
    x = cohort.frames["imaging"]["PET:f0"].to_numpy()
    row = rows["PET:f0"]
    assert row["estimate"] == harrell_c(endpoint.time, endpoint.event, x).estimate > 0.6
    interval = percentile_interval(harrell_c_bootstrap(endpoint.time, endpoint.event, x, 200, OPTIONS.seed))
    assert (row["lower"], row["upper"]) == pytest.approx((interval.lower, interval.upper))
    assert row["neg_log_10_p_value"] == pytest.approx(fit_cox(endpoint.time, endpoint.event, x).neg_log10_p_test())
    assert (row["kind"], row["metric"], row["block"]) == ("survival", "Harrell C", "imaging")
    assert (row["n"], row["events"]) == (70, endpoint.event.sum())
    expected = benjamini_hochberg(table["neg_log_10_p_value"].to_numpy())
    np.testing.assert_allclose(table["q_value"].to_numpy(), expected)
    assert problems == []


def test_binary_rows_are_the_one_predictor_statistics(cohort):
    _, rows, _ = judged(cohort, "relapse")
    label = cohort.endpoints["relapse"].event
    x = cohort.frames["imaging"]["PET:f0"].to_numpy()
    assert rows["PET:f0"]["estimate"] == pytest.approx(auc(label, x))
    assert rows["PET:f0"]["metric"] == "AUC"
    assert rows["PET:f0"]["neg_log_10_p_value"] == pytest.approx(fit_logistic(label, x).neg_log10_p_test)


def test_direction_is_kept(cohort):
    flipped = cohort.frames | {"imaging": cohort.frames["imaging"].with_columns(-pl.col("PET:f0"))}
    _, rows, _ = judged(cohort, "survival")
    _, mirrored, _ = judged(cohort, "survival", flipped)
    assert mirrored["PET:f0"]["estimate"] == pytest.approx(1 - rows["PET:f0"]["estimate"])
    assert mirrored["PET:f0"]["estimate"] < 0.5


def test_categories_are_compared_with_all_others(cohort):
    _, rows, _ = judged(cohort, "relapse")
    assert {"Sex=Male", "Grade=high", "Grade=mid", "Grade=low"} <= set(rows)
    assert "Sex=Female" not in rows
    grade = cohort.frames["clinical"]["Grade"]
    known = grade.is_not_null().to_numpy()
    label = cohort.endpoints["relapse"].event[known]
    high = (grade.drop_nulls() == "high").to_numpy().astype(float)
    assert rows["Grade=high"]["estimate"] == pytest.approx(auc(label, high))
    assert rows["Grade=high"]["n"] == known.sum() < 70


def test_constant_and_perfect_predictors_are_told(cohort):
    label = cohort.endpoints["relapse"].event
    frame = cohort.frames["imaging"].with_columns(
        pl.lit(3.0).alias("PET:constant"),
        pl.Series("PET:perfect", label * 2 - 1),
        pl.when(pl.col("subject") < "S010").then(1.0).alias("PET:rare"),
    )
    _, rows, problems = judged(cohort, "relapse", {"imaging": frame})
    told = {p.item: p for p in problems}
    assert "PET:constant" not in rows
    assert told["PET:constant"].got == "constant among the 70 subjects with a value"
    assert told["PET:rare"].got == "constant among the 10 subjects with a value"
    assert rows["PET:perfect"]["estimate"] == 1.0
    assert rows["PET:perfect"]["neg_log_10_p_value"] is None
    assert rows["PET:perfect"]["q_value"] is None
    assert (told["PET:perfect"].severity, told["PET:perfect"].got[:8]) == ("no value", "no test:")
    assert rows["PET:f0"]["neg_log_10_p_value"] > 1


def test_a_predictor_whose_subjects_have_no_event_is_told(cohort):
    label = cohort.endpoints["relapse"].event
    some = np.where(label == 0, np.arange(70.0), np.nan)
    frame = cohort.frames["imaging"].with_columns(pl.Series("PET:half", some))
    frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias("PET:none"))
    _, rows, problems = judged(cohort, "relapse", {"imaging": frame})
    told = {p.item: p.got for p in problems}
    assert "PET:half" not in rows
    assert told["PET:half"].startswith("no comparable pair among")
    assert told["PET:none"] == "no subject has a value"


def test_soft_tissue_sarcoma_facts(data):
    """AUC and C of SUVmax and volume in the 51 patients of Vallières et al. (2015), with the masks as supplied."""
    folder = data("sts")
    table = pl.read_excel(folder / "INFOclinical_STS.xlsx", sheet_name="Clinical Information").filter(
        pl.col("Patient ID").str.starts_with("STS_") & pl.col("Status (NED, AWD, D)").is_not_null()
    )
    mets = pl.read_excel(folder / "INFOclinical_STS.xlsx", sheet_name="Outcome vector")
    table = table.join(mets, on="Patient ID").sort("Patient ID")
    subject = tuple(table["Patient ID"])
    assert len(subject) == 51
    follow_up = table["Time – diagnosis to last follow-up (days)"].cast(pl.Float64).to_numpy()
    spread = table["LungMets"].cast(pl.Float64).to_numpy()
    outcome = table["Time – diagnosis to outcome (days)"].cast(pl.Float64, strict=False).to_numpy()
    died = (table["Status (NED, AWD, D)"].str.strip_chars() == "D").cast(pl.Float64).to_numpy()
    measured = []
    for name in subject:
        image = nibabel.load(folder / "nifti" / name / "PET_image.nii.gz")
        inside = np.asarray(nibabel.load(folder / "nifti" / name / "PET_mask.nii.gz").dataobj) > 0
        volume = inside.sum() * abs(np.linalg.det(image.affine[:3, :3]))
        measured.append((np.asarray(image.dataobj)[inside].max(), volume))
    suv, volume = np.array(measured).T
    blocks, _ = read_blocks({"imaging": pl.DataFrame({"subject": subject, "SUVmax": suv, "volume": volume})}, OPTIONS)

    def estimates(endpoint):
        found, _ = univariate(target_of(endpoint)[0], blocks, OPTIONS)
        return dict(found.select("predictor", "estimate").iter_rows()), found

    binary, rows = estimates(Endpoint("lung_metastasis", "binary", subject, spread))
    assert rows["events"].to_list() == [19, 19]
    assert binary["SUVmax"] == pytest.approx(0.811, abs=0.0005)
    assert binary["volume"] == pytest.approx(0.692, abs=0.0005)
    free = Endpoint("metastasis_free", "survival", subject, spread, np.where(spread == 1, outcome, follow_up), "days")
    assert estimates(free)[0]["SUVmax"] == pytest.approx(0.746, abs=0.0005)
    alive = Endpoint("overall", "survival", subject, died, follow_up, "days")
    found, rows = estimates(alive)
    assert rows["events"].to_list() == [15, 15]
    assert found["SUVmax"] == pytest.approx(0.680, abs=0.0005)
