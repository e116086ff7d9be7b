"""A locus, a variant and many phenotypes in pictures: regional plots, PheWAS plots and heat maps of a scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.ticker import FuncFormatter, MaxNLocator

from radiolocus.associate.effects import EffectArray, phenotypes_of
from radiolocus.model import Array
from radiolocus.report.drawing import ACCENT, DARK, GREY, INK, LIGHT, PALE, Drawn, canvas, legend_above, shorten, styled
from radiolocus.report.figures_genome import P_AXIS, draw_thresholds, names_of, threshold_lines, unknown_below
from radiolocus.report.genomewide import GENOME_WIDE, Scan, loci
from radiolocus.report.labels import label_points
from radiolocus.report.numbers import count, p_text, plural
from radiolocus.stats.tail import neg_log10_p_t

__all__ = ["Region", "associations_of", "heatmap", "phewas", "regional"]

_Y = "neg_log_10_p_value"
# Bins of r² to the lead variant, weakest first: told apart by lightness as well as by hue.
_LD = (("#3d5a80", "< 0.2"), ("#7aa0c4", "0.2–0.4"), ("#9cc49a", "0.4–0.6"), ("#e0a040", "0.6–0.8"), (ACCENT, "≥ 0.8"))
_GROUPS = (DARK, "#7aa0c4", "#d98c3f", GREY, "#8a6bb1", INK)
_LOCI, _PHENOTYPES = 30, 40
_ROWS = 6


@dataclass(frozen=True)
class Region:
    """What a regional plot shows.

    `chromosome`, `start` and `stop` in base pairs; `lead`: id of the lead variant; `r2`: squared correlation of
    variants with it, by id (empty: not known); `genes`: columns chromosome, start, end, name and, where known, strand.
    """

    chromosome: str
    start: int
    stop: int
    lead: str
    r2: Mapping[str, float]
    genes: pl.DataFrame | None = None


def _megabases(axes: Axes, region: Region) -> None:
    axes.set_xlim(region.start, region.stop)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1e6:.10g}"))
    axes.set_xlabel(f"position on chromosome {region.chromosome} (Mb)")


def _gene_rows(genes: pl.DataFrame, region: Region) -> list[list[tuple[int, int, str]]]:
    """Genes of a region in rows in which neither they nor their names run into each other."""
    found = genes.filter(
        (pl.col("chromosome") == region.chromosome) & (pl.col("end") >= region.start) & (pl.col("start") <= region.stop)
    ).sort("start", "end")
    letter = 0.0095 * (region.stop - region.start)
    rows: list[list[tuple[int, int, str]]] = []
    ends: list[float] = []
    for r in found.iter_rows(named=True):
        strand = r.get("strand")
        name = f"{r['name']} →" if strand == "+" else f"← {r['name']}" if strand == "-" else str(r["name"])
        start, stop = max(r["start"], region.start), min(r["end"], region.stop)
        half = max(stop - start, letter * len(name)) / 2
        left, right = (start + stop) / 2 - half, (start + stop) / 2 + half + letter
        row = next((i for i, end in enumerate(ends) if end < left), len(ends))
        if row == len(ends):
            rows.append([])
            ends.append(-np.inf)
        rows[row].append((start, stop, name))
        ends[row] = right
    return rows


def _draw_genes(axes: Axes, rows: Sequence[Sequence[tuple[int, int, str]]]) -> None:
    for i, row in enumerate(rows[:_ROWS]):
        for start, stop, name in row:
            axes.plot([start, stop], [-i, -i], color=DARK, lw=3.0, solid_capstyle="butt")
            axes.annotate(
                name, ((start + stop) / 2, -i), xytext=(0, 4), textcoords="offset points", ha="center", fontsize=7,
                style="italic",
            )  # fmt: skip
    axes.set_ylim(-min(len(rows), _ROWS) + 0.4, 0.9)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _draw_region(axes: Axes, scan: Scan, rows: pl.DataFrame, region: Region, floor: float) -> None:
    x, y = rows["base_pair_location"].to_numpy(), rows[_Y].to_numpy()
    r2 = np.array([region.r2.get(name, np.nan) for name in rows["variant_id"]], dtype=np.float64)
    lead = (rows["variant_id"] == region.lead).fill_null(False).to_numpy()
    unknown = np.isnan(r2) & ~lead
    axes.scatter(x[unknown], y[unknown], s=13, color=LIGHT, edgecolors=GREY, linewidths=0.4)
    for i, (colour, name) in enumerate(_LD):
        chosen = ~lead & ~unknown & (np.minimum((r2 * 5).astype(np.float64), 4.0) // 1 == i)
        label = f"r² {name}" if region.r2 else None
        axes.scatter(x[chosen], y[chosen], s=15, color=colour, edgecolors="white", linewidths=0.3, label=label)
    axes.scatter(x[lead], y[lead], s=42, marker="D", color="#6a3d9a", edgecolors="white", linewidths=0.6, zorder=4)
    top = max(float(y.max(initial=0.0)), GENOME_WIDE) * 1.15
    axes.set_ylim(0, top)
    unknown_below(axes, floor)
    draw_thresholds(axes, [(GENOME_WIDE, "5 × 10⁻⁸")], top)
    if region.r2:
        legend_above(axes, 5, handletextpad=0.1, markerscale=1.2)
    if lead.any():
        label_points(axes, x[lead].tolist(), y[lead].tolist(), [region.lead], avoid=np.column_stack([x, y]))
    axes.set_ylabel(P_AXIS)


@styled
def regional(scan: Scan, phenotype: str, region: Region) -> Drawn:
    """Draw the variants of a region by position, coloured by r² to the lead variant, above the genes that are given.

    Parameters
    ----------
    scan : Scan
    phenotype : str
    region : Region
    """
    rows = scan.of_phenotype(phenotype).filter(
        (pl.col("chromosome") == region.chromosome) & pl.col("base_pair_location").is_between(region.start, region.stop)
    )
    genes = [] if region.genes is None else _gene_rows(region.genes, region)
    track = 0.24 * min(len(genes), _ROWS) + 0.2 if genes else 0.0
    width, height = 7.2, 3.5 + track
    figure = canvas(width, height)
    left, across = 0.6 / width, (width - 1.3) / width
    upper = figure.add_axes((left, (0.5 + track + (0.1 if genes else 0)) / height, across, 2.45 / height))
    _megabases(upper, region)
    _draw_region(upper, scan, rows, region, scan.floor_of(phenotype))
    figure.text(left, 1 - 0.2 / height, shorten(phenotype, 60), fontsize=9, fontweight="bold")
    hidden = 0
    if genes:
        lower = figure.add_axes((left, 0.5 / height, across, track / height))
        _megabases(lower, region)
        _draw_genes(lower, genes)
        upper.set_xlabel("")
        upper.set_xticklabels([])
        hidden = sum(len(row) for row in genes[_ROWS:])
    told = [
        f"{plural(rows.height, 'variant')} of {phenotype} on chromosome {region.chromosome} from "
        f"{count(region.start)} to {count(region.stop)} bp.",
        f"Diamond: {region.lead}."
        + (" Colours: r² to it among the analysed subjects; pale: not known." if region.r2 else ""),
    ]
    if scan.floor_of(phenotype) > 0:
        told.append(f"Shaded: rows with p > {p_text(scan.floor_of(phenotype))} were tested, but not kept.")
    told += [f"{hidden} genes of crowded rows are not drawn."] if hidden else []
    return Drawn(figure, f"Regional plot of {phenotype} around {region.lead}: −log10 p by position", " ".join(told))


def associations_of(scan: Scan, variants: Sequence[str]) -> pl.DataFrame:
    """Associations of a few variants with all phenotypes.

    From the rows that were kept and, where the scan wrote them, from the arrays of effects, whose single precision and
    the degrees of freedom of a phenotype that lacks no genotype give the others.

    Returns
    -------
    polars.DataFrame
        Columns variant_id, phenotype, beta and neg_log_10_p_value; a pair that was not kept has no row.
    """
    rows = scan.rows.filter(pl.col("variant_id").is_in(list(variants)))
    kept = rows.select("variant_id", "phenotype", "beta", _Y).collect()
    folder = scan.root / "sumstats/effects"
    names = phenotypes_of(folder)
    if not names:
        return kept
    ids = pl.read_parquet(scan.root / "sumstats/variants.parquet", columns=["variant_id"])["variant_id"]
    places = ids.is_in(list(variants)).arg_true()
    numbers = places.to_numpy().astype(np.int64)
    beta, error = (EffectArray.open(folder / name).read(numbers) for name in ("beta", "standard_error"))
    told = {r["phenotype"]: r["n"] - r["covariates"] - 2 for r in scan.summary.iter_rows(named=True)}
    df = np.array([told[name] for name in names], dtype=np.float64)
    frame = pl.DataFrame(
        {
            "variant_id": np.repeat(ids.gather(places).to_numpy(), len(names)),
            "phenotype": names * len(places),
            "beta": beta.ravel(),
            _Y: neg_log10_p_t(beta / error, df[None, :]).ravel(),
        }
    )
    others = frame.fill_nan(None).drop_nulls(_Y).join(kept, on=["variant_id", "phenotype"], how="anti")
    return pl.concat([kept, others])


def _grouped(phenotypes: Sequence[str]) -> list[str]:
    """Image of each phenotype: what stands before the colon of its name."""
    return [name.rpartition(":")[0] or "phenotypes" for name in phenotypes]


@styled
def phewas(scan: Scan, variant: str) -> Drawn:
    """Draw the associations of one variant with all phenotypes, by image, triangles pointing with the effect."""
    order = scan.summary["phenotype"].to_list()
    found = associations_of(scan, [variant])
    place = {name: i for i, name in enumerate(sorted(order, key=lambda n: _grouped([n])[0]))}
    x = np.array([place[name] for name in found["phenotype"]], dtype=np.float64)
    y, up = found[_Y].to_numpy(), found["beta"].fill_null(0.0).to_numpy() >= 0
    groups = _grouped(found["phenotype"].to_list())
    names = sorted(set(_grouped(order)))
    figure = canvas(8.0, 3.3, left=0.08, right=0.84, top=0.9, bottom=0.17)
    axes = figure.add_subplot()
    for i, name in enumerate(names):
        for upward, mark in ((True, "^"), (False, "v")):
            chosen = np.array([g == name for g in groups], dtype=bool) & (up == upward)
            axes.scatter(x[chosen], y[chosen], s=20, marker=mark, color=_GROUPS[i % len(_GROUPS)], linewidths=0)
    own = -np.log10(0.05 / max(len(order), 1))
    lines = [*threshold_lines(scan)[:1], (own, f"0.05 / {count(len(order))} phenotypes")]
    top = max(float(y.max(initial=0.0)), *(level for level, _ in lines)) * 1.18
    axes.set_ylim(0, top)
    axes.set_xlim(-0.5 - 0.01 * len(order), len(order) - 0.5 + 0.01 * len(order))
    complete = found.height == len(order)
    if not complete:
        unknown_below(axes, scan.floor)
    draw_thresholds(axes, lines, top)
    first = np.argsort(-y)[:5]
    strong = first[y[first] > own]
    told = [shorten(found["phenotype"][int(i)], 34) for i in strong]
    label_points(axes, x[strong].tolist(), y[strong].tolist(), told, avoid=np.column_stack([x, y]))
    _name_groups(axes, names, order)
    axes.set_ylabel(P_AXIS)
    axes.set_title(variant)
    missing = plural(len(order) - found.height, "phenotype")
    kept = "" if complete else f" {missing} with p > {p_text(scan.floor)} were tested, but not kept."
    return Drawn(
        figure,
        f"PheWAS plot of {variant}: −log10 p of its association with {len(order)} phenotypes",
        f"{variant} and {plural(len(order), 'phenotype')}; triangles point up where the effect allele raises the "
        f"phenotype.{kept}",
    )


def _name_groups(axes: Axes, names: Sequence[str], order: Sequence[str]) -> None:
    groups = sorted(_grouped(order))
    ticks = [(groups.index(name) + groups.count(name) / 2 - 0.5, name) for name in names]
    rotation = 0 if len(names) <= 6 else 45
    axes.set_xticks([t for t, _ in ticks], [shorten(n, 18) for _, n in ticks], rotation=rotation, fontsize=7.5)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("phenotypes, by image")


def _signed(found: pl.DataFrame, variants: Sequence[str], phenotypes: Sequence[str]) -> Array:
    """−log10 p with the sign of the effect, shape (variants, phenotypes); NaN where no row was kept."""
    row, column = ({name: i for i, name in enumerate(names)} for names in (variants, phenotypes))
    out = np.full((len(variants), len(phenotypes)), np.nan)
    for r in found.iter_rows(named=True):
        if r["phenotype"] in column:
            out[row[r["variant_id"]], column[r["phenotype"]]] = np.copysign(r[_Y], r["beta"] or 0.0)
    return out


@styled
def heatmap(scan: Scan, threshold: float = GENOME_WIDE) -> Drawn | None:
    """Draw the lead variants of the loci against the phenotypes; None without two loci or two phenotypes.

    Parameters
    ----------
    scan : Scan
    threshold : float
        −log10 p that the lead variant of a locus reaches.
    """
    hits = scan.rows.filter(pl.col(_Y) > threshold).collect()
    leads = loci(hits, _LOCI)
    named = leads.filter(pl.col("variant_id").is_not_null())
    if named.height < 1 or scan.phenotypes < 2:
        return None
    index = {name: i for i, name in enumerate(scan.axis.names)}
    named = named.sort(pl.col("chromosome").replace_strict(index, return_dtype=pl.Int64), "base_pair_location")
    variants = named["variant_id"].to_list()
    found = associations_of(scan, variants)
    strongest = found.group_by("phenotype").agg(pl.col(_Y).max()).sort([_Y, "phenotype"], descending=[True, False])
    chosen = set(strongest["phenotype"].head(_PHENOTYPES))
    phenotypes = [name for name in scan.summary["phenotype"] if name in chosen]
    values = _signed(found, variants, phenotypes)
    across, high = 0.17 * len(phenotypes), 0.2 * len(variants)
    names = [shorten(name, 26) for name in phenotypes]
    low = 0.2 + 0.065 * max(len(name) for name in names)
    width, height = max(3.1 + across, 4.2), low + max(high, 0.6) + 0.15
    figure = canvas(width, height)
    axes = figure.add_axes((1.9 / width, low / height, across / width, high / height))
    limit = float(np.nanmax(np.abs(values)))
    axes.set_facecolor(PALE)
    shown = axes.pcolormesh(
        values, cmap="RdBu_r", norm=TwoSlopeNorm(0.0, -limit, limit), edgecolors="white", linewidth=0.4
    )
    for i, j in np.argwhere(np.abs(values) > GENOME_WIDE):
        colour = "white" if abs(values[i, j]) > 0.6 * limit else INK
        axes.text(j + 0.5, i + 0.5, "*", ha="center", va="center", fontsize=7, color=colour)
    places = [f"{n} ({c}:{b / 1e6:.2f} Mb)" for n, c, b in zip(
        names_of(named), named["chromosome"], named["base_pair_location"], strict=True)]  # fmt: skip
    axes.set_yticks(np.arange(len(variants)) + 0.5, places, fontsize=7)
    axes.set_xticks(np.arange(len(phenotypes)) + 0.5, names, rotation=90, fontsize=7)
    axes.tick_params(length=0)
    axes.invert_yaxis()
    bar = figure.add_axes(((2.05 + across) / width, low / height, 0.1 / width, max(high, 0.6) / height))
    figure.colorbar(shown, cax=bar).set_label("± −log₁₀ p", fontsize=7.5)
    bar.tick_params(labelsize=7)
    left_out = scan.phenotypes - len(phenotypes)
    told = f" {plural(left_out, 'phenotype')} without a stronger association not shown." if left_out else ""
    kept = " Grey: tested, p above what was kept." if np.isnan(values).any() else ""
    return Drawn(
        figure,
        f"Heat map of {len(variants)} loci against {len(phenotypes)} phenotypes",
        f"Lead variants of {plural(len(variants), 'locus', 'loci')} (strongest within 500 kb) against phenotypes: "
        f"−log₁₀ p with the sign of the effect of the effect allele; star: p < 5 × 10⁻⁸.{told}{kept}",
    )
