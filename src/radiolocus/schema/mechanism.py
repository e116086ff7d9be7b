"""Tables of the graph of markers, features and outcomes, and of the paths through it."""

from __future__ import annotations

from radiolocus.schema.columns import Column, Flag, N, P, Real, Table, Text, Whole

__all__ = ["MECHANISM"]

_Q = Column("q_value", Real, "false discovery rate", source="Benjamini & Hochberg 1995")

MECHANISM: tuple[Table, ...] = (
    Table(
        "mechanism/nodes",
        "what the graph connects",
        (
            Column("node", Text, "name"),
            Column("kind", Text, "'marker', 'variant', 'gene set', 'feature' or 'endpoint'"),
            Column("layer", Text, "'genome', 'image' or 'outcome'"),
            Column("description", Text, "what it is; empty where nothing more is known"),
            Column("degree", Whole, "edges that begin or end here"),
        ),
    ),
    Table(
        "mechanism/edges",
        "what goes with what, and on which evidence",
        (
            Column("source", Text, "marker, variant, gene set or feature"),
            Column("source_kind", Text, "kind of the source"),
            Column("target", Text, "feature or endpoint"),
            Column("target_kind", Text, "kind of the target"),
            Column("relation", Text, "'link', 'scan', 'enrichment' or 'univariate': the table of the evidence"),
            Column("test", Text, "test used"),
            Column("measure", Text, "what the estimate measures"),
            Column("estimate", Real, "estimate"),
            Column("lower", Real, "lower end of its 95 % interval"),
            Column("upper", Real, "upper end of its 95 % interval"),
            Column("direction", Whole, "1: more goes with more, −1: more with less, 0: the test has no direction"),
            P,
            _Q,
            Column("n", Whole, "subjects used; of gene sets the genes"),
            Column("events", Whole, "events or positives; null without an endpoint"),
            Column("replicated", Flag, "in the other cohort; null where it was not looked for"),
        ),
    ),
    Table(
        "mechanism/paths",
        "how much of the effect of a marker on an endpoint goes through a feature",
        (
            Column("exposure", Text, "marker or variant"),
            Column("mediator", Text, "imaging feature"),
            Column("outcome", Text, "endpoint"),
            Column("contrast", Text, "change of the exposure that the effects are of"),
            Column("scale", Text, "what the effects are measured in"),
            Column("mediated", Real, "effect through the feature"),
            Column("lower", Real, "lower end of its 95 % bootstrap interval"),
            Column("upper", Real, "upper end of its 95 % bootstrap interval"),
            Column("p_value", Real, "of the mediated effect, by the draws"),
            _Q,
            Column("direct", Real, "effect beside the feature"),
            Column("direct_lower", Real, "lower end of its 95 % bootstrap interval"),
            Column("direct_upper", Real, "upper end of its 95 % bootstrap interval"),
            Column("total", Real, "sum of both"),
            Column("total_lower", Real, "lower end of its 95 % bootstrap interval"),
            Column("total_upper", Real, "upper end of its 95 % bootstrap interval"),
            Column("e_value", Real, "of the mediated effect as a ratio", source="VanderWeele & Ding 2017"),
            Column("e_value_limit", Real, "of the end of its interval next to no effect; 1 where it holds no effect"),
            N,
            Column("events", Whole, "events or positives"),
            Column("draws", Whole, "draws that entered the intervals"),
        ),
    ),
)
