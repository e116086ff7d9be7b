"""Tables of the choice of therapy, and of early prediction."""

from __future__ import annotations

from radiolocus.schema.columns import INTERVAL, SUBJECT, Column, Flag, N, P, Real, Table, Text, Whole

__all__ = ["BENEFIT", "EARLY"]

_PLACE = (
    Column("endpoint", Text, "endpoint of the study file"),
    Column("arm", Text, "treatment that is compared with control"),
)
_LEARNER = (*_PLACE, Column("learner", Text, "who predicts the benefit of each subject, out of fold"))
_CONTROL = Column("control", Text, "treatment that it is compared with")
_ERROR = Column("standard_error", Real, "standard error of the estimate")

BENEFIT: tuple[Table, ...] = (
    Table(
        "benefit/interactions",
        "treatment × marker, in every arm and over all arms",
        (
            *_PLACE,
            _CONTROL,
            Column("marker", Text, "column of the study"),
            Column("family", Text, "markers among which tests are counted, over all arms"),
            Column("scale", Text, "what one unit of the marker is"),
            Column("effect", Text, "log odds ratio or log hazard ratio of the event"),
            Column("estimate", Real, "how much it changes per unit of the marker; null of several products at once"),
            _ERROR,
            Column("lower", Real, "lower end of the 95 % interval (Wald)"),
            Column("upper", Real, "upper end of the 95 % interval (Wald)"),
            Column("statistic", Real, "likelihood-ratio statistic of the products, χ²"),
            Column("df", Whole, "products tested"),
            P,
            Column("bonferroni_p_value", Real, "p-value times the tests of endpoint and family, at most 1"),
            Column("q_value", Real, "false discovery rate in endpoint and family", source="Benjamini & Hochberg 1995"),
            Column("prognostic_estimate", Real, "effect of the marker under control; null of several levels"),
            Column("prognostic_standard_error", Real, "its standard error"),
            Column("prognostic_neg_log_10_p_value", Real, "−log10 of its two-sided Wald p-value"),
            Column("prognostic_q_value", Real, "its false discovery rate in endpoint and family"),
            Column("reading", Text, "predictive, prognostic, both, or neither shown, each by q < 0.05"),
            Column("method", Text, "likelihood ratio; penalised (Firth) where the classes are separated"),
            N,
            Column("events", Whole, "events among them"),
        ),
    ),
    Table(
        "benefit/subgroups",
        "effect of treatment in every subgroup",
        (
            *_PLACE,
            _CONTROL,
            Column("marker", Text, "column of the study"),
            Column("level", Text, "its value; a number is divided at its median, for this table alone"),
            Column("order", Whole, "place of the level, from 0"),
            Column("n_treated", Whole, "subjects under the arm"),
            Column("events_treated", Whole, "events among them"),
            Column("n_control", Whole, "subjects under control"),
            Column("events_control", Whole, "events among them"),
            Column("difference", Real, "event rate under the arm less that under control; null of times"),
            Column("difference_lower", Real, "lower end of its 95 % interval", source="Newcombe 1998"),
            Column("difference_upper", Real, "upper end of its 95 % interval", source="Newcombe 1998"),
            Column("effect", Text, "odds ratio (½ added to every cell where one is empty) or hazard ratio"),
            Column("ratio", Real, "of the event, arm against control"),
            Column("ratio_lower", Real, "lower end of its 95 % interval"),
            Column("ratio_upper", Real, "upper end of its 95 % interval"),
        ),
    ),
    Table(
        "benefit/rates",
        "event rates of every arm, over everybody and by level",
        (
            *_PLACE,
            Column("by", Text, "column of the study by which subjects are divided; empty: not divided"),
            Column("level", Text, "its value, or 'everybody'"),
            Column("events", Whole, "subjects with the event"),
            N,
            *INTERVAL,
            Column("wilson_lower", Real, "lower end of the 95 % interval of Wilson", source="Wilson 1927"),
            Column("wilson_upper", Real, "upper end of the 95 % interval of Wilson", source="Wilson 1927"),
        ),
    ),
    Table(
        "benefit/effects",
        "average effect of every arm",
        (
            *_PLACE,
            Column("estimator", Text, "unadjusted, overlap-weighted or doubly robust"),
            Column("scale", Text, "what the difference is one of; a larger value is better"),
            *INTERVAL,
            _ERROR,
            Column("number_needed", Real, "treated for one more good outcome; negative: for one more bad one"),
            Column("number_needed_lower", Real, "its interval, from here ..."),
            Column("number_needed_upper", Real, "... to here; through infinity where it is negative"),
            N,
            Column("treated", Whole, "of them under the arm"),
            Column("effective_n", Real, "subjects that would tell as much without weights"),
        ),
    ),
    Table(
        "benefit/balance",
        "how alike the groups are",
        (
            *_PLACE,
            Column("covariate", Text, "column, or column = level"),
            Column("role", Text, "confounder (or stratum) or predictor"),
            Column("difference", Real, "standardised mean difference", "SD", "Austin 2009"),
            Column("difference_weighted", Real, "the same under overlap weights", "SD", "Li 2018"),
            Column("mean_treated", Real, "mean under the arm"),
            Column("mean_control", Real, "mean under control"),
        ),
    ),
    Table(
        "benefit/propensity",
        "probability of treatment of every subject, out of fold",
        (
            *_PLACE,
            SUBJECT,
            Column("treated", Flag, "under the arm"),
            Column("propensity", Real, "probability of the arm, after trimming"),
            Column("trimmed", Flag, "it was nearer to 0 or 1 than is kept"),
        ),
    ),
    Table(
        "benefit/individual",
        "predicted benefit of every subject, out of fold",
        (
            *_LEARNER,
            SUBJECT,
            Column("benefit", Real, "predicted gain in the outcome, mean over repetitions"),
            Column("spread", Real, "its standard deviation over repetitions"),
            Column("treat", Real, "share of repetitions in which the rule treats"),
        ),
    ),
    Table(
        "benefit/policy",
        "value of the rule, of treating all and of treating none",
        (
            *_LEARNER,
            Column("policy", Text, "rule, treat all, treat none, rule less treat all, rule less treat none"),
            Column("share_treated", Real, "whom it treats"),
            *INTERVAL,
            _ERROR,
            N,
        ),
    ),
    Table(
        "benefit/groups",
        "observed against predicted benefit",
        (
            *_LEARNER,
            Column("group", Whole, "of rising predicted benefit, from 1"),
            Column("predicted", Real, "mean predicted benefit"),
            *INTERVAL,
            _ERROR,
            Column("band_lower", Real, "lower end of the 95 % band of all groups together"),
            Column("band_upper", Real, "upper end of the 95 % band of all groups together"),
            N,
        ),
    ),
    Table(
        "benefit/curve",
        "mean benefit of those of highest predicted benefit",
        (
            *_LEARNER,
            Column("share_treated", Real, "share that is treated, the highest prediction first"),
            *INTERVAL,
        ),
    ),
    Table(
        "benefit/heterogeneity",
        "does the prediction tell who benefits more",
        (
            *_LEARNER,
            Column("mean_coefficient", Real, "of the mean prediction; 1: the average effect is right"),
            Column("mean_standard_error", Real, "its standard error (HC3)"),
            Column("differential_coefficient", Real, "of differences in prediction; 1: right, 0: they tell nothing"),
            Column("differential_standard_error", Real, "its standard error (HC3)"),
            Column("neg_log_10_p_value", Real, "−log10 p, one-sided, of the latter", source="Chernozhukov 2018"),
            Column("q_value", Real, "false discovery rate over endpoints and arms", source="Benjamini & Hochberg 1995"),
            Column("autoc", Real, "area under the benefit curve above its end", source="Yadlowsky 2021"),
            Column("autoc_lower", Real, "lower end of its 95 % interval"),
            Column("autoc_upper", Real, "upper end of its 95 % interval"),
            Column("qini", Real, "the same, weighted by the share treated", source="Yadlowsky 2021"),
            Column("qini_lower", Real, "lower end of its 95 % interval"),
            Column("qini_upper", Real, "upper end of its 95 % interval"),
            Column("most_less_least", Real, "effect in the group of highest prediction less that in the lowest"),
            Column("most_less_least_lower", Real, "lower end of its 95 % interval"),
            Column("most_less_least_upper", Real, "upper end of its 95 % interval"),
            Column(
                "most_less_least_neg_log_10_p_value", Real, "−log10 p, one-sided, of the same", "", "Chernozhukov 2018"
            ),
            Column("beats_alike", Flag, "the rule is worth more than treating all and than treating none"),
            N,
        ),
    ),
    Table(
        "benefit/verdicts",
        "what can be said of every arm",
        (
            *_PLACE,
            Column("learner", Text, "learner that the conclusion is drawn from"),
            Column("interactions", Whole, "markers with an interaction of q < 0.05"),
            Column("verdict", Text, "in words"),
        ),
    ),
    Table(
        "benefit/checks",
        "what may make the comparison of treatments unfair",
        (
            Column("check", Text, "immortal time, confounding by indication, positivity, covariates, prevalent users"),
            Column("verdict", Text, "pass, suspect, leak or not checked"),
            Column("item", Text, "arm, endpoint or column concerned"),
            Column("got", Text, "what was found"),
            Column("todo", Text, "what to do about it"),
            Column("value", Real, "number that was judged"),
        ),
    ),
)

_FROM = (
    Column("endpoint", Text, "endpoint of the study file"),
    Column("predictors", Text, "baseline, change, both; each with the clinical columns, and of each set of features"),
)

EARLY: tuple[Table, ...] = (
    Table(
        "early/visits",
        "how many visits the subjects have",
        (
            Column("visits", Whole, "visits"),
            Column("subjects", Whole, "subjects with so many"),
            Column("order", Text, "how the order of the visits was told"),
            Column("early_visit", Whole, "which of them is the early one; 1 is baseline"),
        ),
    ),
    Table(
        "early/performance",
        "out-of-fold prediction from baseline, from the change and from both",
        (
            *_FROM,
            Column("model", Text, "model fitted"),
            Column("metric", Text, "AUC or Harrell's C"),
            *INTERVAL,
            N,
            Column("events", Whole, "events among them"),
            Column("candidates", Whole, "predictors offered"),
            Column("repeats", Whole, "repetitions of the cross-validation"),
            Column("folds", Whole, "folds of each"),
        ),
    ),
    Table(
        "early/comparisons",
        "what one set of predictors tells beyond another, on the same folds",
        (
            Column("endpoint", Text, "endpoint of the study file"),
            Column("first", Text, "set of predictors"),
            Column("second", Text, "set of predictors"),
            Column("metric", Text, "AUC or Harrell's C; the estimate is that of the second less that of the first"),
            *INTERVAL,
            N,
        ),
    ),
    Table(
        "early/predictions",
        "out-of-fold predictions",
        (
            *_FROM,
            SUBJECT,
            Column("repeat", Whole, "repetition, from 0"),
            Column("fold", Whole, "fold that held the subject out"),
            Column("prediction", Real, "risk: higher means the event"),
        ),
    ),
    Table(
        "early/audit",
        "leakage audit",
        (
            Column("endpoint", Text, "endpoint of the study file"),
            Column("check", Text, "visit order, permuted outcome or duplicates"),
            Column("verdict", Text, "pass, suspect, leak or not checked"),
            Column("item", Text, "subjects concerned"),
            Column("got", Text, "what was found"),
        ),
    ),
    Table(
        "early/lead_time",
        "how long before the call of the criterion the early visit was",
        (
            Column("endpoint", Text, "endpoint of the study file"),
            SUBJECT,
            Column("of", Text, "'progression' or 'response' by the criterion of the study"),
            Column("early_day", Real, "day of the early visit", "d"),
            Column("called", Real, "share of repetitions in which the early change called it"),
            Column("event_day", Real, "day of progression, or of the first response, by the criterion", "d"),
            Column("lead_days", Real, "days between them", "d"),
        ),
    ),
    Table(
        "early/lead",
        "lead of the early call over the criterion",
        (
            Column("endpoint", Text, "endpoint of the study file"),
            Column("of", Text, "'progression' or 'response' by the criterion of the study"),
            Column("before", Whole, "subjects whom the criterion called at the early visit or before it: no lead"),
            Column("ahead", Whole, "predicted subjects whom the criterion called after the early visit"),
            Column("called", Whole, "of them called by the early change"),
            Column("share", Real, "called of ahead"),
            Column("share_lower", Real, "lower end of its exact 95 % interval", source="Clopper & Pearson 1934"),
            Column("share_upper", Real, "upper end of its exact 95 % interval", source="Clopper & Pearson 1934"),
            Column("median_days", Real, "median lead of those called", "d"),
            Column("lower", Real, "lower end of its 95 % interval, by order statistics; null of fewer than six", "d"),
            Column("upper", Real, "upper end of its 95 % interval", "d"),
            Column("free", Whole, "predicted subjects whom the criterion never called"),
            Column("alarms", Whole, "of them called by the early change"),
        ),
    ),
)
