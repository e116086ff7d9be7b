"""The slow, obvious twin of `radiolocus.molecular.drivers`."""


def mutation_table(rows, subject_of, sequenced, min_mutated, classes):
    """Subject to gene to 0 or 1; `rows` are (gene, barcode, class)."""
    subjects = set(sequenced) | {subject_of[b] for _, b, _ in rows if b in subject_of}
    mutated = {s: {g for g, b, c in rows if subject_of.get(b) == s and c in classes} for s in subjects}
    genes = sorted({g for g, _, _ in rows})
    kept = [g for g in genes if sum(g in mutated[s] for s in subjects) >= min_mutated]
    return {s: {g: float(g in mutated[s]) for g in kept} for s in subjects}
