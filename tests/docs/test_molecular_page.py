"""The page of the tumours' molecular data is what the code says."""

import re

from radiolocus.molecular.alterations import DEFINITIONS
from radiolocus.molecular.copies import GENOME_MARKERS
from radiolocus.read.readings import READINGS
from reference.molecular_page import PAGE, page


def test_the_page_is_that_of_the_code():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "write it anew: PYTHONPATH=tests python tests/reference/molecular_page.py"
    )


def test_every_definition_and_every_option_is_there():
    text = PAGE.read_text(encoding="utf-8")
    for name in (*DEFINITIONS, *GENOME_MARKERS, *READINGS):
        assert f"| `{name}` |" in text
    # An option whose docstring could not be taken apart would be missing without a sound.
    for key in ("by", "hotspot_min", "normal", "megabases", "min_fraction", "matrix", "bootstrap", "genome", "tested"):
        assert re.search(rf"^\| `{key}` \|", text, re.MULTILINE), key
