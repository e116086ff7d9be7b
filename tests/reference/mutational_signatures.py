"""Exposures of SigProfilerAssignment on the spectra of mutational_signatures.R, as a further column of its answers.

In an environment with SigProfilerAssignment (made with 1.1.5):

    python tests/reference/mutational_signatures.py tests/reference
"""

import csv
import sys
import tempfile
from pathlib import Path

NAME = "sigprofiler_assignment"


def main(folder: Path) -> None:
    """Fit, and write the answers again with one more column."""
    from SigProfilerAssignment import Analyzer

    with (folder / "mutational_signatures_table.csv").open() as file:
        table = list(csv.DictReader(file))
    with (folder / "mutational_signatures_answers.csv").open() as file:
        answers = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for file, first in (("signatures.txt", "M"), ("counts.txt", "T")):
            columns = [c for c in table[0] if c != "Type" and c.startswith(first)]
            lines = ["\t".join(["Type", *columns]), *("\t".join(row[c] for c in ["Type", *columns]) for row in table)]
            (place / file).write_text("\n".join(lines) + "\n")
        Analyzer.cosmic_fit(
            samples=str(place / "counts.txt"),
            output=str(place / "out"),
            input_type="matrix",
            signature_database=str(place / "signatures.txt"),
            make_plots=False,
        )
        found = place / "out/Assignment_Solution/Activities/Assignment_Solution_Activities.txt"
        with found.open() as file:
            fitted = {row["Samples"]: row for row in csv.DictReader(file, delimiter="\t")}
    for row in answers:
        row[NAME] = fitted[row["sample"]][row["signature"]]
    with (folder / "mutational_signatures_answers.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(answers[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
