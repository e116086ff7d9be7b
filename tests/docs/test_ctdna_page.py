"""The page of circulating tumour DNA is what the code says."""

import re

from radiolocus.config import load_study
from reference.ctdna_page import PAGE, page


def test_the_page_is_that_of_the_rules():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it anew: PYTHONPATH=tests python tests/reference/ctdna_page.py"
    )


def test_the_section_of_the_study_file_is_valid(tmp_path):
    (block,) = re.findall(r"^```toml\n(.*?)^```", page(), re.MULTILINE | re.DOTALL)
    cohort = '[cohort]\nsubjects = "clinical.csv"\n'
    (tmp_path / "study.toml").write_text(cohort + block, encoding="utf-8")
    options = load_study(tmp_path / "study.toml").sections.response
    assert options.ctdna.table == "ctdna.csv"
    assert options.clones.table == "samples.csv"
    assert options.resistance.clinical == ("age",)
