"""The leakage audit and the steps of the protocol in the report."""

import polars as pl

from radiolocus.report.blocks import Table, Text
from radiolocus.report.sections_audit import audit_blocks, audit_verdict, protocol_blocks
from radiolocus.schema import TABLES


def audit(*rows):
    return pl.DataFrame(rows, schema=TABLES["outcome/audit"].schema, orient="row")


PERMUTED = ("os", "all", "Cox", "permuted outcome", "pass", "", "mean 0.49", 0.49, 0.03)
COPY = ("os", "all", "", "duplicates", "leak", "S1, S2", "equal in every column", 0.0, None)
ALONE = ("os", "all", "", "predicts alone", "pass", "", "none of 4 columns", None, None)
FEW = ("os", "all", "", "events", "suspect", "", "0.2 each", 0.2, None)


def test_what_was_found_stands_on_top_and_the_rest_is_folded():
    blocks = audit_blocks(audit(PERMUTED, ALONE, FEW, COPY))
    assert [(type(b), b.folded) for b in blocks] == [(Table, False), (Table, True)]
    assert [row[0] for row in blocks[0].rows] == ["leak", "pass"]
    assert [row[1] for row in blocks[1].rows] == ["events", "predicts alone"]
    assert audit_verdict(audit(PERMUTED, FEW, COPY)) == "leakage audit: 1 leaks, 0 suspicions; see the table"


def test_nothing_found_is_said():
    (text, rest) = audit_blocks(audit(ALONE))
    assert isinstance(text, Text)
    assert text.text.startswith("Leakage audit: nothing found by 1 checks.")
    assert rest.folded
    assert audit_verdict(audit(ALONE, FEW)) == "leakage audit: nothing found by 1 checks"
    assert audit_blocks(audit()) == []


def test_steps_that_models_share_stand_once_and_in_order():
    steps = pl.DataFrame(
        [(m, s, m if s == "fit" else "x") for m in ("Cox", "forest") for s in ("split", "fit", "tune")],
        schema=["model", "step", "how"],
        orient="row",
    )
    (table,) = protocol_blocks(steps)
    assert [(row[0], row[2]) for row in table.rows] == [
        ("split", "all"),
        ("fit", "Cox"),
        ("fit", "forest"),
        ("tune", "all"),
    ]
