"""Networks in a study: the stage, its tables, interrupted and resumed, without PyTorch."""

import importlib.util

import numpy as np
import polars as pl
import pytest

from flow.small_study import MOLECULAR, SmallStudy
from radiolocus.config import StudyError, load_study
from radiolocus.learn import deep_torch

DEEP = """[deep]
endpoints = ["relapse", "os"]
clinical = ["age"]
crop = [1, 12, 12]
voxel_mm = [0, 2.0, 2.0]
folds = 2
inner_folds = 2
epochs = 3
channels = [3, 3, 4]
embedding = 4
bootstrap = 20
penalties = 6
explained = 4
"""
SEQUENCES = '[deep.sequences]\ntable = "windows.csv"\nwindow = 11\nchannels = 3\nmotif = 5\n'
NEEDED = 'PyTorch is not installed: pip install "radiolocus[deep]"'
torch_there = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason=NEEDED)


def study(folder, n=36, text=DEEP + SEQUENCES):
    folder.mkdir()
    made = SmallStudy(folder, n=n)
    rng = np.random.default_rng(3)
    rows = [(s, *("".join(rng.choice(list("ACGT"), 11)) for _ in "ab")) for s in made.subjects[:-4] for _ in range(2)]
    rows.append((made.subjects[-4], None, None))
    pl.DataFrame(rows, schema=["id", "reference", "tumour"], orient="row").write_csv(folder / "windows.csv")
    for subject in made.subjects[:3]:
        (folder / "images" / subject / "ct.nii.gz").unlink()
    made.text += MOLECULAR + text
    return made


def test_without_pytorch_the_study_is_refused_before_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(deep_torch.importlib.util, "find_spec", lambda name: None)
    made = study(tmp_path / "study")
    with pytest.raises(
        StudyError, match=r'deep: the package torch is not installed; what to do: pip install "radiolocus\[deep\]"'
    ):
        load_study(made.file())


@torch_there
def test_what_networks_need_and_is_not_there_is_told(tmp_path):
    made = study(tmp_path / "study", text=DEEP + 'variants = ["rs1"]\n[deep.sequences]\ngenome = "genome.fa"\n')
    with pytest.raises(StudyError) as caught:
        load_study(made.file())
    assert "deep.sequences.genome: needs [molecular] mutations" in str(caught.value)
    assert "deep.variants: names germline variants, but there is no [genetics]" in str(caught.value)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    made = study(tmp_path_factory.mktemp("deep") / "study")
    return made, made.run()


@torch_there
def test_tables_hold_the_network_beside_the_simple_model_on_the_same_subjects(ran):
    table = pl.read_parquet(ran[1].root / "deep/performance.parquet")
    whole = table.filter(patients="all")
    assert set(whole["model"]) == {"network", "elastic-net logistic", "elastic-net Cox"}
    assert whole.group_by("endpoint").agg(pl.col("n").n_unique())["n"].to_list() == [1, 1]
    assert set(whole.filter(model="network")["predictors"]) == {"CT + clinical + molecular + sequences"}
    alone = table.filter(pl.col("patients").str.starts_with("with "))
    assert set(alone["predictors"]) == {"CT", "clinical", "molecular", "sequences"}
    assert alone.filter(predictors="CT", endpoint="os")["n"].to_list() == [33]
    told = pl.read_parquet(ran[1].root / "deep/differences.parquet").filter(patients="all")
    for row in told.iter_rows(named=True):
        pair = whole.filter(endpoint=row["endpoint"])
        assert row["network"] == pytest.approx(pair.filter(model="network")["estimate"][0])
        assert row["other"] == pytest.approx(pair.filter(model=row["model"])["estimate"][0])


@torch_there
def test_explanations_are_of_held_out_subjects_and_add_up(ran):
    attention = pl.read_parquet(ran[1].root / "deep/attention.parquet")
    shares = attention.group_by("endpoint", "subject").agg(pl.col("attention").sum(), pl.col("modality").n_unique())
    np.testing.assert_allclose(shares["attention"], 1.0, atol=1e-5)
    assert attention.filter(endpoint="os", modality="CT").height == 33
    assert attention["gap"].abs().max() < 0.1
    maps = pl.read_parquet(ran[1].root / "deep/maps.parquet")
    assert maps.group_by("endpoint").len()["len"].to_list() == [4, 4]
    row = maps.row(0, named=True)
    assert len(row["map"]) == len(row["mask"]) == len(row["pixels"]) == row["height"] * row["width"]
    training = pl.read_parquet(ran[1].root / "deep/training.parquet")
    assert training.filter("kept").height == 2 * 2 * 2
    windows = pl.read_parquet(ran[1].root / "deep/windows.parquet")
    assert windows.filter(endpoint="os").height == 64


@torch_there
def test_the_report_shows_networks(ran):
    page = (ran[1].root / "report.html").read_text()
    assert "Networks on crops and genomic input" in page
    assert "Grad-CAM" in page
    assert ran[1].lines[[line.split()[0] for line in ran[1].lines].index("deep")].endswith("networks and simple ones")


@pytest.mark.slow
@torch_there
def test_two_workers_and_a_taken_up_run_give_the_same_bytes(ran, tmp_path):
    again = study(tmp_path / "again").run(jobs=2)
    for name in ("predictions", "attention", "training", "maps"):
        assert (again.root / f"deep/{name}.parquet").read_bytes() == (ran[1].root / f"deep/{name}.parquet").read_bytes()
    before = (ran[1].root / "deep/manifest.json").read_bytes()
    ran[0].run()
    assert (ran[1].root / "deep/manifest.json").read_bytes() == before
    assert not (ran[1].root / "deep/.units").exists()
