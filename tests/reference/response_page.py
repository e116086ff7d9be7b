"""Writes ``docs/response.md`` from the rules, options and vocabularies of the code.

Run ``PYTHONPATH=tests python tests/reference/response_page.py`` after a change of a rule.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from radiolocus.kernels.recist import LABELS, overall
from radiolocus.read.lesion_measures import MEASURES
from radiolocus.read.sdtm import ITEMS
from radiolocus.read.sr_lesions import QUANTITIES
from radiolocus.response.comparison import COMPARISON
from radiolocus.response.criterion import CRITERIA, CriteriaOptions, Rule
from radiolocus.response.endpoints import RULES
from radiolocus.response.function import VISIT_MEASURES
from radiolocus.response.kinetics import MODELS
from radiolocus.response.recist11 import Recist11Options, best_response
from radiolocus.response.recist11_rules import RECIST11
from radiolocus.response.study_endpoints import DERIVED

PAGE = Path(__file__).resolve().parents[2] / "docs" / "response.md"

_HEAD = """# Treatment response

Lesions in, the response of every visit and the best response out, with the reason of every call in words and the key
of the rule that decided it. The tables below are written from the rules that the code applies: do not edit this page,
see `tests/reference/response_page.py`. *Wording* says where a rule comes from: "published table" when it was checked
against a published table or question-and-answer page, "summary" when it follows a summary of the paper, whose own
words were not at hand; check those before you cite them.

```console
$ radiolocus recist lesions.csv --criterion recist11 --criterion irecist --out responses
responses/response: criteria, criteria_best, criteria_rates, timepoints, best, rates, endpoints, ...
```

`radiolocus recist` shows calls and reasons; `radiolocus response` makes the whole analysis of a lesion table, of SDTM
domains, of DICOM structured reports, or of a study file with a section `[response]`, with a report: calls, end points,
kinetics, change between visits, waterfall, spider, swimmer and the courses of single patients.

```console
$ radiolocus response lesions.csv --criterion recist11 --out analysis
recist11: objective response rate ...
...
report: analysis/report.html
$ radiolocus demo-response --subjects 12 --out response-demo
...
... of 12 best responses are the true ones
...
```

Circulating tumour DNA needs no lesions: `radiolocus response --ctdna ctdna.csv --treatments lines.csv`, or a section
`[response]` that has `[response.ctdna]` and no `lesions`. Rows of subjects that nobody follows are left out and told.

`demo-response` simulates lesions, uptake, circulating tumour DNA and treatment with known truth, analyses them and says
how many best responses are the true ones; `examples/response.toml` is its study.

In a study file:

```toml
[response]
lesions = "lesions.csv"
criterion = "recist11"      # of the figures and end points
further = ["irecist"]       # beside it
confirmation = true
persistent = false          # arithmetic reading of a partial response
small_nodes = "non-target"  # nodal targets below 15 mm at baseline; "target": the table's word rules
visit_days = 56.0           # planned days between visits
treatments = ""             # table of treatments, for the figures: subject, treatment, start, end and line
```

In Python:

```python
from radiolocus.read.lesions import read_lesions
from radiolocus.response.assess import assess

lesions = read_lesions("lesions.csv")
found = assess(lesions.frame, "recist11")
print(found.best.select("subject", "best_response", "reason"))
```

## The lesion table

One row a lesion and visit: `subject`, `visit`, `day` (a number or a date), `lesion`, `kind` (target, non-target,
new), `organ`, `node`, `diameter_mm` (or `_cm`; or `diameter` with a unit named: it is never guessed), `status`
(absent, present, too small, merged, progression, equivocal, NE); and where they are known `reader`, `part` (of a
split lesion), `axis` (long, short). A subject is set aside, with file, row, lesion and visit, for: a visit before
baseline, two baselines or none, a target without baseline, a lesion that changes organ or kind, mixed units, a node
measured on its long axis, negative or impossible sizes, several readers, a lesion twice at a visit, two visits on one
day, a new lesion without a day, a visit after death. Visits after the start of another treatment are left out, and
it is said; so are, by name, visits after progression under a treatment that went on (a progression that waits for
confirmation, as iUPD, ends nothing). A criterion whose columns are missing is set aside, and the others go on.

Further columns, read when they are there (`measures` names them where a file calls them otherwise):

| column | of | what | unit or words |
|---|---|---|---|
"""

_SDTM = """
## CDISC SDTM

`radiolocus recist FOLDER` reads `tr`, with `tu` and `rs` beside it (CSV, TSV, XLSX, XPT, Parquet; {items} of RSTESTCD).
The baseline is the flagged visit (TRLOBXFL, TRBLFL), else the first; days come from TRDTC, else TRDY, else VISITDY; a
visit is dated by its first assessment. Several evaluators are told apart by `--reader "INVESTIGATOR"`; of several
readers of one role the one counts whose records are flagged as accepted (TRACPTFL), and it is said. A node is followed
by SAXIS or LPERP, its longest perpendicular, another lesion by LDIAM or DIAMETER; "<5 mm" is too small to measure; what
was not done is not evaluated. Responses of another RSCAT than RECIST 1.1 are left aside. A fragment
`T04.1` belongs to `T04`; `T02/T03` is measured once, as `T02`. The sums (SUMDIAM) and responses that the study has
are set beside ours in `response/comparison.csv` ({columns}): for every disagreement the reason of our call, and the
option of RECIST 1.1 under which theirs follows, if there is one.
"""

_SOURCES = """
## Lesions from masks and from structured reports

`radiolocus lesions scans.csv --out lesions.csv` measures masks. The table of scans has the columns subject, visit, day,
image and mask and, where they are known, lesion, roi, kind, organ, node, modality, unit, reader and background. Without
lesion and roi every label of a mask is a lesion. Measured are the longest diameter within a slice and the longest chord
perpendicular to it in that slice (both of the convex outline, half way between the centres of voxels inside and
outside), the volume of the voxels, and by the unit of the image (from DICOM, or stated) mean attenuation (HU), mean
diffusion coefficient (mm²/s and its parts), or the peak of the 1 cm³ sphere and total glycolysis (SUV, SUL). Nodes
count by the perpendicular, their short axis. Of hypoxia PET whose background (mean of blood or muscle) is stated, the
share of voxels of at least 1.4 times the background is taken (`--tbr`). A label that a later mask lacks is not
evaluated, or absent with `--gone absent`.

```python
from pathlib import Path

from radiolocus.response.measured import ScanOptions, measure_scans, read_scans

folder = sorted(Path("images").iterdir())[0]
Path("scans.csv").write_text(
    "subject,visit,day,image,mask,modality,unit\\n"
    f"{folder.name},baseline,0,images/{folder.name}/ct.nii.gz,images/{folder.name}/mask.nii.gz,CT,HU\\n"
)
scans, problems = read_scans("scans.csv")
measured = measure_scans(scans, options=ScanOptions(unsaid_kind="target"))
print(measured.frame.select("subject", "lesion", "diameter_mm", "perpendicular_mm", "volume_ml"))
```

In a study the masks of `[imaging]` are measured in the run itself, into `response/lesions`; a scan whose image or mask
cannot be used is told, its lesions are not evaluated at that visit, and the others go on. Days come from `days`, or of
single subjects from a table `visits` (subject, visit, day):

```toml
[response.masks]                # in place of lesions = ...
images = ["CT"]                 # default: all that are analysed; without roi every label of a mask is a lesion
days = { baseline = 0, "week 8" = 56 }
unsaid_kind = "target"          # or roles = "roles.csv"
gone = "NE"                     # what a label is that a later mask lacks: NE, or absent
```

`radiolocus lesions reports/ --roles roles.csv --out lesions.csv` reads DICOM structured reports of template TID 1500
from a folder; `lesions = "reports"` does so in a study. The subject is the Patient ID, the day that of the study, the
visit the time point (TID 1502) where one is given; a lesion is followed by its tracking UID. These concepts fill
columns, in units that are converted by their UCUM code:

| column | concepts | derivation | units |
|---|---|---|---|
"""

_ROLES = """
Neither masks nor reports say which lesions are targets: a table of roles does (`--roles`: subject, lesion, kind, organ,
node), or a coded evaluation "target lesion" in the report, or `--unsaid-kind target` (`unsaid_kind = "target"` in
`[response.columns]`): those of the first scan are targets, those seen later new. Groups of normal anatomy are left out;
reports that are damaged, copies or of another template are named.
"""

_DELTA = """
## Change between visits

`response/delta` compares every visit with the baseline: the difference, in percent, the logarithm of the ratio, the
least-squares slope over the visits so far and the area under the difference; of every imaging feature that a study has
at several visits, and of what the lesions measure together:

| measure | over the lesions | unit |
|---|---|---|
"""

_NOISE = """
Lesions of the baseline count, new ones only for the hottest; a lesion that has gone adds nothing to a sum and takes no
part in a mean; where a lesion of the baseline was not measured there is no value. Days of visits come from the lesion
table or from `days`; an order of visits is never guessed.

Beside each change stands the repeatability coefficient, 1.96 √2 times the within-subject standard deviation (Bland &
Altman 1999), of the study's own retests or perturbed copies (`features/repeatability`) or of the table `repeatability`
(measure, repeatability_coefficient and, if known, image, roi and scale: absolute, or percent of the baseline).
`beyond_noise` says whether the change is larger; `response/delta_features` whether more subjects are beyond it than the
5 % that noise alone brings there (exact one-sided 95 % limit). `response/function` calls one measure: response or
progression from `call_percent` on, progression also from the best value so far, never within the coefficient.

```python
from radiolocus.response.delta import DeltaOptions, delta_predictors
from radiolocus.response.changes import changes_of

tables, problems = changes_of(lesions.frame, None, None, DeltaOptions())
predictors = delta_predictors(tables["response/delta"], "relative")
print(predictors.height)
```

In a study file:

```toml
[response.delta]
days = { baseline = 0, "week 8" = 56 }   # of visits of images, where the lesion table does not have them
features = ["stat_.*", "morph_volume"]   # default: all
repeatability = ""          # table of repeatability coefficients, before the study's own
call = "uptake"             # functional measure that is called response, stable or progression
call_percent = 30.0
```

`delta_predictors` makes them predictors, with `response/delta_features` only what changes by more than noise. In a
study `[outcome.delta]` makes them a block of predictors that is judged from their visit on
([the protocol](protocol.md)).

`response/lead` sets the first call of every other source (further criteria, the functional measure, ctDNA) beside that
of the criterion: how often it was first, with the exact interval, and by how many days (median, with the interval of
order statistics); whom only one of them called stands beside it, and has no lead. `response/lead_times` has everybody.
"""

_ENDS = """
## End points

Objective response rate: CR and PR over all subjects; disease control rate adds SD and NON-CR/NON-PD; intervals are
exact (Clopper & Pearson 1934). Progression-free survival counts from the baseline to progression or death; duration
of response from the first response (confirmed later, where confirmation is demanded). Who has neither is censored at
the last evaluable visit, at baseline without one. Both are given under each of these rules, with Kaplan–Meier
medians:

| rule | meaning |
|---|---|
"""

_FOR_STUDY = """
## Endpoints of a study

`[response.endpoints]` makes endpoints of the calls, which `[outcome]`, `[early]`, `[benefit]`, `[mechanism]`,
`[genetics]` (`binary`) and `[link]` (`endpoints`) take like those of `[cohort.endpoints]`; the stage of response runs
before them.

| made of | endpoint |
|---|---|
"""

_FOR_STUDY_OPTIONS = """
```toml
[response.endpoints]
response = "objective response"
benefit = { of = "durable clinical benefit", days = 183 }
pfs = { of = "progression-free survival", rule = "censored" }
immune_response = { of = "objective response", criterion = "irecist" }
depth = "best depth"                          # a number: for [link]
deep = { of = "best depth", percent = 50 }    # yes or no
```

Times are days since the baseline scan. Whom the criterion could not evaluate has no response, as in the rates
(`not_evaluable = "unknown"` leaves him out). `response/study_endpoints` has everybody's value with its reason, and the
day from which it was known: of a response its first visit, of its absence the progression or the last evaluable visit.
What is measured on that day or later does not predict it: [change as predictors](protocol.md) and
[early prediction](benefit.md) leave those subjects out.
"""

_KINETICS = """
## Kinetics

`response/kinetics` holds the depth of response and the day of the nadir; the growth rate before treatment (columns
`earlier_mm`, `earlier_day`) and under it, 100 (exp(3 ln(D₂/D₁)/months) − 1) % a month (Ferté et al. 2014); and of the
models {models} of the sum relative to baseline, f(t) = exp(−dt) + exp(gt) − 1 or one of its halves, the one of the
smallest AIC, with the standard errors of its constants, R², residual and doubling time ln 2/g (Stein et al. 2011).

`--reader R1 --reader R2` compares two readers: Cohen's κ of the calls, bias and limits of agreement of the sums
(Bland & Altman 1986). `--error-mm 2 --draws 500 --seed 1` measures every target again with normal errors of 2 mm and
says how often each call stays. `second_reader` (beside `keep_reader`) and `error_mm` do both in a study; the report
shows them.
"""


def _rules(rules: tuple[Rule, ...]) -> list[str]:
    lines = ["| key | call | rule | source | wording |", "|---|---|---|---|---|"]
    for r in rules:
        wording = "published table" if r.checked else "summary"
        lines.append(f"| `{r.key}` | {r.call} | {r.words} | {r.source} | {wording} |")
    return lines


def _time_points() -> list[str]:
    """The table of time points, by asking the code for every combination without new lesion."""
    nontargets = ("none", "CR", "NON-CR/NON-PD", "NE", "PD")
    lines = ["| targets | " + " | ".join(f"non-targets {n}" for n in nontargets) + " |", "|---" * 6 + "|"]
    for target in ("CR", "PR", "SD", "PD", "NE", "none"):
        calls = [LABELS[overall(LABELS.index(target), LABELS.index(n), False)] for n in nontargets]
        lines.append(f"| {target} | " + " | ".join(calls) + " |")
    return lines


def _confirmed() -> list[str]:
    """Best response with confirmation, by asking the code for two visits four weeks apart."""
    lines = ["| first | four weeks later | first at day 42 or later | earlier |", "|---|---|---|---|"]
    options = Recist11Options(confirmation=True)
    for first, second in (
        [("CR", s) for s in ("CR", "PR", "SD", "PD", "NE")]
        + [("PR", s) for s in ("CR", "PR", "SD", "PD", "NE")]
        + [("SD", "PD"), ("NE", "NE")]
    ):
        said = []
        for day in (42.0, 7.0):
            frame = pl.DataFrame(
                {
                    "subject": ["A"] * 3,
                    "visit": ["0", "1", "2"],
                    "day": [0.0, day, day + 28],
                    "overall_response": [None, first, second],
                    "targets": [1] * 3,
                    "change_from_baseline": [None] * 3,
                },
                schema_overrides={"change_from_baseline": pl.Float64},
            )
            said.append(best_response(frame, options)["best_response"][0])
        lines.append(f"| {first} | {second} | {said[0]} | {said[1]} |")
    return lines


def _quantities() -> list[str]:
    """Concepts of structured reports by the column they fill."""
    names = {"long": "`diameter_mm` (long axis)", "short": "`perpendicular_mm`; of nodes `diameter_mm`"}
    names |= {"diameter": "`diameter_mm`, without a long axis"}
    lines = []
    for q in QUANTITIES:
        concepts = ", ".join(f"{c.meaning} ({c.value}, {c.scheme_designator})" for c in q.concepts)
        derived = " or ".join("none" if d is None else d.meaning.lower() for d in q.derivations)
        column = names.get(q.column, f"`{q.column}`")
        lines.append(f"| {column} | {concepts} | {derived} | {', '.join(q.units)} |")
    return lines


def page() -> str:
    """The page as the code says it."""
    lines = [_HEAD.rstrip("\n")]
    for name, m in MEASURES.items():
        lines.append(f"| `{name}` | {m.level} | {m.meaning} | {', '.join(m.words) or m.unit or 'number'} |")
    lines += [_SDTM.format(items=", ".join(ITEMS), columns=", ".join(COMPARISON)).rstrip("\n"), ""]
    lines += [_SOURCES.strip("\n"), *_quantities(), _ROLES.rstrip("\n"), ""]
    lines += [
        "## RECIST 1.1 (`recist11`)",
        "",
        *_rules(RECIST11),
        "",
        "Response of a time point without new lesion",
        "",
    ]
    lines += [*_time_points(), "", "A new lesion makes every one of them PD. Best response with confirmation:", ""]
    lines += _confirmed()
    for name in sorted(CRITERIA):
        c = CRITERIA[name]
        wanted = [f"`{n}`".replace(" or ", "` or `") for n in (*c.needs, *c.asks(CriteriaOptions()))]
        needs = f" Needs the columns {', '.join(wanted)}." if wanted else ""
        lines += ["", f"## {c.title} (`{name}`)", "", f"{c.paper}. Follows: {c.quantity}.{needs}", "", *_rules(c.rules)]
        lines += ["", *(f"- {note}" for note in c.notes)]
    lines.append(_DELTA.rstrip("\n"))
    lines += [f"| `{n}` | {m.how}: {m.meaning} | {m.unit} |" for n, m in VISIT_MEASURES.items()]
    lines.append(_NOISE.rstrip("\n"))
    lines += [_ENDS.rstrip("\n"), *(f"| {k} | {v} |" for k, v in RULES.items())]
    lines += [_FOR_STUDY.rstrip("\n"), *(f"| {k} | {v} |" for k, v in DERIVED.items()), _FOR_STUDY_OPTIONS.rstrip("\n")]
    lines.append(_KINETICS.format(models=", ".join(f"`{m}`" for m in MODELS)).rstrip("\n"))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
