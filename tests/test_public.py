"""The public face is pinned: a name that comes or goes is a decision."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import radiolocus

PINNED = [
    "BenefitOptions",
    "BinaryOptions",
    "CcaOptions",
    "ClumpOptions",
    "CohortOrder",
    "CriteriaOptions",
    "DeltaOptions",
    "Endpoint",
    "FeatureSettings",
    "FinemapOptions",
    "GenotypeOptions",
    "Geometry",
    "GwasOptions",
    "LinkOptions",
    "Mask",
    "MediationOptions",
    "MendelianOptions",
    "MetaOptions",
    "MixedOptions",
    "PlinkSource",
    "RadiolocusError",
    "ReadOptions",
    "Recist11Options",
    "Volume",
    "assess",
    "benefit",
    "clump",
    "delta",
    "export",
    "extract",
    "extract_pyradiomics",
    "feature_map",
    "finemap",
    "fit_cox",
    "gwas",
    "harrell_c",
    "interaction_test",
    "ld_scores",
    "ldsc",
    "link",
    "load_study",
    "locus_cca",
    "measure_lesion",
    "mediation",
    "mendelian",
    "meta",
    "open_genotypes",
    "open_traits",
    "plot",
    "query",
    "read_ld_scores",
    "read_lesions",
    "read_pair",
    "read_pyradiomics",
    "read_score_file",
    "read_sr_lesions",
    "read_subject_table",
    "read_sumstats",
    "recist11",
    "respond",
    "run_study",
    "scan",
    "write_nifti",
    "write_plink",
    "write_score_file",
]


def test_the_public_names_are_these():
    assert sorted(radiolocus.__all__) == sorted(PINNED) == sorted(radiolocus._HOME)
    assert set(PINNED) <= set(dir(radiolocus))


@pytest.mark.parametrize("name", PINNED)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(radiolocus, name).__doc__


def test_the_version_is_that_of_the_package():
    assert radiolocus.__version__ == version("radiolocus")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'extrakt'"):
        radiolocus.extrakt  # noqa: B018


def test_importing_the_package_loads_no_plotting_library():
    code = "import sys, radiolocus.feature.measure; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
