"""The drafted study: valid, deterministic, and never surer than the files."""

from __future__ import annotations

import re
import tomllib

import bgen
import nibabel as nib
import numpy as np
import pytest

from dicom_factory import write_rtstruct, write_seg, write_series
from radiolocus.app.draft import draft
from radiolocus.config import StudyError, load_study
from radiolocus.errors import ConfigError
from radiolocus.simulate.cohort import SimulationOptions, simulate_cohort


def _load(drafted, folder, name="study.toml"):
    path = folder / name
    path.write_text(drafted.text, encoding="utf-8")
    return load_study(path)


def _uncomment(text, *starts):
    """Take the # away from the paragraphs that hold one of `starts`, reasons left out."""
    paragraphs = text.split("\n\n")
    for n, paragraph in enumerate(paragraphs):
        if any(s in paragraph for s in starts):
            lines = [line for line in paragraph.split("\n") if re.match(r"# (\[|\w+ = )", line)]
            paragraphs[n] = "\n".join(line.removeprefix("# ") for line in lines)
    return "\n\n".join(paragraphs)


def _nifti(path, shape=(4, 5, 6), integer=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.ones(shape, dtype=np.uint8 if integer else np.float32)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    simulate_cohort(folder / "data", SimulationOptions(subjects=40, variants=200))
    return folder


def test_a_whole_simulated_cohort(simulated):
    tmp_path, data = simulated, simulated / "data"
    drafted = draft([data], beside=tmp_path)
    assert drafted == draft([data], beside=tmp_path)
    raw = tomllib.loads(drafted.text)
    assert raw["cohort"] == {"name": "data", "root": "data", "id": "subject", "subjects": [{"path": "clinical.csv"}]}
    (image,) = raw["imaging"]["images"]
    assert image == {
        "name": "CT",
        "modality": "CT",
        "image": "images/{subject}/ct.nii.gz",
        "mask": "images/{subject}/tumour.nii.gz",
    }
    assert raw["genetics"]["genotypes"] == "genotypes/cohort.bed"
    assert raw["molecular"]["mutations"] == "molecular/mutations.maf"
    assert raw["molecular"]["sequenced"] == "molecular/sequenced.csv"
    assert raw["molecular"]["markers"] == [{"path": "molecular/markers.csv", "id": "subject"}]
    assert raw["response"] == {"lesions": "lesions.csv"}
    assert raw["link"] == {}
    study = _load(drafted, tmp_path)
    assert study.root == data.resolve()
    assert any(re.match(r"CT: 40 subjects with image .*, 40 of 40 subjects$", f) for f in drafted.findings)
    assert "genotypes: 40 samples, 40 of 40 subjects" in drafted.findings


def test_the_suggestions_are_valid_too(simulated):
    tmp_path, data = simulated, simulated / "data"
    text = _uncomment(draft([data], beside=tmp_path).text, "cohort.endpoints", "[outcome]")
    (tmp_path / "s.toml").write_text(text, encoding="utf-8")
    study = load_study(tmp_path / "s.toml")
    assert study.sections.cohort.endpoints["status_time"].time == "months"
    assert study.sections.outcome is not None


def test_root_is_the_common_parent_and_output_folders_are_not_input(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "clinical.csv").write_text("id,x\na,1\nb,2\n")
    (tmp_path / "images").mkdir()
    (tmp_path / "tables" / "results").mkdir()
    (tmp_path / "tables" / "results" / "study.json").write_text("{}")
    (tmp_path / "tables" / "results" / "performance.csv").write_text("id,x\na,1\n")
    drafted = draft([tmp_path / "tables", tmp_path / "images"], beside=tmp_path / "tables")
    raw = tomllib.loads(drafted.text)
    assert raw["cohort"]["root"] == ".."
    assert raw["cohort"]["subjects"] == [{"path": "tables/clinical.csv"}]
    assert drafted.findings[0] == "found 1 table"
    one = draft([tmp_path / "tables" / "clinical.csv"], beside=tmp_path)
    assert tomllib.loads(one.text)["cohort"]["root"] == "tables"


def test_doubtful_images_stand_behind_a_hash_with_the_reason(tmp_path):
    ids = [f"P{i:02d}" for i in range(6)]
    (tmp_path / "clinical.csv").write_text("id,x\n" + "".join(f"{i},1\n" for i in ids))
    for i in ids:
        _nifti(tmp_path / i / "CT_image.nii.gz")
        _nifti(tmp_path / i / "CT_mask.nii.gz", (4, 5, 7), integer=True)
    for i in ids[:2]:
        _nifti(tmp_path / i / "PET_image.nii.gz")
        _nifti(tmp_path / i / "PET_mask.nii.gz", integer=True)
    drafted = draft([tmp_path], beside=tmp_path)
    assert "imaging" not in tomllib.loads(drafted.text)
    assert "# image and mask of P00 have shapes (6, 5, 4) and (7, 5, 4) (z, y, x)\n# [[imaging.images]]" in drafted.text
    assert "# only 2 of 6 subjects have it\n# [[imaging.images]]" in drafted.text
    assert any("drafted behind '#': only 2 of 6 subjects have it" in f for f in drafted.findings)


def test_a_mask_of_fractions_and_odd_names(tmp_path):
    for i in ("a1", "b2"):
        _nifti(tmp_path / f"images (x) {i}.nii")
        _nifti(tmp_path / f"mask (x) {i}.nii")
    (tmp_path / 'we"ird\\.csv').write_text("id,x\na1,1\nb2,2\n")
    drafted = draft([tmp_path], beside=tmp_path)
    assert "# the mask of a1 holds fractions" in drafted.text
    assert tomllib.loads(drafted.text)["cohort"]["subjects"] == [{"path": 'we"ird\\.csv'}]


def _dicom(folder, names, beside=True):
    write_series(folder / "series", np.zeros((3, 4, 5)))
    square = np.array([[-10, -20, 30], [-6, -20, 30], [-6, -16, 30]], dtype=float)
    target = folder / "series" if beside else folder / "rs"
    target.mkdir(parents=True, exist_ok=True)
    write_rtstruct(target / "rs.dcm", {name: [(square, None)] for name in names})


def test_series_folders_with_their_structure_sets(tmp_path):
    for n in (1, 2, 3):
        _dicom(tmp_path / "in" / f"P{n}", [f"GTV {n}"])
        _dicom(tmp_path / "apart" / f"P{n}", ["GTV", "lung"], beside=False)
    (tmp_path / "c.csv").write_text("id,x\nP1,1\nP2,2\nP3,3\n")
    drafted = draft([tmp_path], beside=tmp_path)
    (image,) = tomllib.loads(drafted.text)["imaging"]["images"]
    assert (image["image"], image["mask"]) == ("in/{subject}/series", "in/{subject}/series")
    assert (image["modality"], image["roi"]) == ("CT", "GTV .*")
    assert "# choose a region with roi: GTV, lung\n# [[imaging.images]]" in drafted.text
    assert '# mask = "apart/{subject}/rs"' in drafted.text


def test_several_series_in_one_folder_are_a_finding(tmp_path):
    write_series(tmp_path / "P1", np.zeros((3, 4, 5)))
    write_rtstruct(tmp_path / "P1" / "a.dcm", {})
    write_rtstruct(tmp_path / "P1" / "b.dcm", {})
    drafted = draft([tmp_path], beside=tmp_path)
    assert any(f.startswith("P1: left out, 1 series and 2 files of regions in one folder") for f in drafted.findings)
    assert "imaging" not in tomllib.loads(drafted.text)


def test_series_folders_with_their_segmentations(tmp_path):
    for n in (1, 2, 3):
        affine = write_series(tmp_path / f"P{n}" / "series", np.zeros((3, 4, 5)))
        write_seg(tmp_path / f"P{n}" / "seg" / "1.dcm", {"GTV": np.ones((3, 4, 5), bool)}, affine)
    (tmp_path / "c.csv").write_text("id,x\nP1,1\nP2,2\nP3,3\n")
    (image,) = tomllib.loads(draft([tmp_path], beside=tmp_path).text)["imaging"]["images"]
    assert (image["image"], image["mask"]) == ("{subject}/series", "{subject}/seg")
    assert image.get("roi", "GTV") == "GTV"


def test_nothing_is_invented(tmp_path):
    (tmp_path / "readme.md").write_text("x")
    drafted = draft([tmp_path], beside=tmp_path)
    assert tomllib.loads(drafted.text).keys() == {"cohort"}
    assert drafted.findings == (
        "found nothing that a study can use",
        "not looked at: 1 .md",
        "no table of subjects was found: name one under [cohort] before the study can run",
    )
    with pytest.raises(ConfigError, match="no folder"):
        draft([])
    with pytest.raises(ConfigError, match=r"no folder '.*nowhere'"):
        draft([tmp_path / "nowhere"])


def test_damaged_files_are_findings(tmp_path):
    (tmp_path / "t.csv").write_text("id,x\na,1,2\n")
    (tmp_path / "m.maf").write_text("Hugo_Symbol\nTP53\n")
    for ending in ("bim", "fam"):
        (tmp_path / f"g.{ending}").write_text("")
    (tmp_path / "g.bed").write_bytes(b"\x00")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.dcm").write_bytes(b"\0" * 128 + b"DICM")
    drafted = draft([tmp_path], beside=tmp_path)
    assert tomllib.loads(drafted.text).keys() == {"cohort"}
    assert [f.partition(":")[0] for f in drafted.findings if "left out" in f] == ["t.csv", "g.bed", "m.maf", "x"]


# --- real folders --------------------------------------------------------------------------------------------------


def test_sarcoma_folder(data, tmp_path):
    drafted = draft([data("sts")], beside=tmp_path)
    study = _load(drafted, tmp_path)
    cohort = study.sections.cohort
    assert cohort.id == "Patient ID"
    assert [t.sheet for t in cohort.subjects] == ["Clinical Information", "Outcome vector"]
    (image,) = study.sections.imaging.images
    assert (image.name, image.modality) == ("PET", "PT")
    assert (image.image, image.mask) == ("nifti/{subject}/PET_image.nii.gz", "nifti/{subject}/PET_mask.nii.gz")
    assert (
        "PET: 51 subjects with image nifti/{subject}/PET_image.nii.gz and mask nifti/{subject}/PET_mask.nii.gz, "
        "51 of 51 subjects"
    ) in drafted.findings
    assert any(f.startswith("6 NIfTI files taken for mask without image") for f in drafted.findings)
    behind = [p for p in drafted.text.split("\n\n") if "# [[imaging.images]]" in p]
    assert len(behind) == 3
    assert "# only 3 of 51 subjects have it" in behind[0]
    assert '# image = "dicom/{subject}/PET/image"' in behind[0]
    assert '# roi = "GTV_Mass_PET"' in behind[0]
    path = tmp_path / "chosen.toml"
    path.write_text(_uncomment(drafted.text, "lungmets_time]", "[outcome]", '"MR_T1"'), encoding="utf-8")
    chosen = load_study(path).sections
    endpoint = chosen.cohort.endpoints["lungmets_time"]
    assert (endpoint.event, endpoint.event_values) == ("LungMets", (1,))
    assert endpoint.time == "Time – diagnosis to outcome (days)"
    assert endpoint.censor_time == "Time – diagnosis to last follow-up (days)"
    assert [i.name for i in chosen.imaging.images] == ["PET", "MR_T1"]
    assert chosen.outcome.clinical == ("Age", "Sex", "Grade")


def test_genotypes_alone(data, tmp_path):
    drafted = draft([data("hapmap")], beside=tmp_path)
    assert '# genotypes = "plinkhapmap.bed"' in drafted.text
    assert "genotypes: 60 samples" in drafted.findings
    with pytest.raises(StudyError, match=r"cohort.subjects: missing"):
        _load(drafted, tmp_path)


def test_genotypes_of_other_formats(tmp_path):
    head = "##fileformat=VCFv4.2\n##contig=<ID=1>\n" + '##FORMAT=<ID=GT,Number=1,Type=String,Description="G">\n'
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n1\t5\trs1\tA\tC\t.\t.\t.\tGT\t0/0\t0/1\n"
    for name in ("one.vcf", "two.vcf", "broken.vcf"):
        (tmp_path / name).write_text(head + columns if name != "broken.vcf" else "nothing\n")
    # a copy of two.vcf in a quicker format hides it
    with bgen.BgenWriter(tmp_path / "two.bgen", 2, samples=["c", "d"], compression="zlib", layout=2) as writer:
        writer.add_variant("v", "rs1", "1", 5, ["A", "C"], np.array([[1.0, 0, 0], [0, 1, 0]]))
    (tmp_path / "two.sample").write_text("ID_1 ID_2 missing sex\n0 0 0 D\n0 c 0 1\n0 d 0 2\n")
    (tmp_path / "alone.pgen").write_bytes(b"")
    drafted = draft([tmp_path], beside=tmp_path)
    assert '# genotypes = "one.vcf"' in drafted.text
    assert '# genotypes = "two.bgen"' in drafted.text
    assert '"two.vcf"' not in drafted.text
    assert "genotypes: 4 samples" in drafted.findings
    assert any(f.startswith("broken.vcf: left out, broken.vcf: the header cannot be read") for f in drafted.findings)
    assert "not looked at: 1 .pgen" in drafted.findings


def test_lung_tables(data, tmp_path):
    drafted = draft([data("nsclc_radiogenomics")], beside=tmp_path)
    study = _load(drafted, tmp_path)
    assert [t.path for t in study.sections.cohort.subjects] == ["NSCLCR01Radiogenomic_labels_211x40.csv"]
    (expression,) = study.sections.molecular.expression
    assert (expression.orientation, expression.id, expression.drop) == ("samples_by_genes", "PID", ("Recurrence",))
    assert "# CAREFUL: only 0 of 148 without the event have 'Time to Death (days)'" in drafted.text
    assert any("not used, features computed elsewhere" in f for f in drafted.findings)
    assert any("130 of 211 subjects" in f for f in drafted.findings)


def test_glioma_ids_get_their_rules(data, tmp_path):
    drafted = draft([data("tcga_glioma")], beside=tmp_path)
    rules = _load(drafted, tmp_path).sections.cohort.ids
    assert (rules.case, rules.extract) == ("upper", r"^(TCGA-\w{2}-\w{4})")
    assert "[cohort.ids] joins 188 ids of the other sources to the first table, 146 without it" in drafted.findings


def test_mutations_and_annotation(data, tmp_path):
    drafted = draft([data("omics")], beside=tmp_path)
    study = _load(drafted, tmp_path)
    assert study.sections.molecular.mutations == "tcga_laml.maf.gz"
    assert "mutations: 193 samples, 193 of 200 subjects" in drafted.findings
