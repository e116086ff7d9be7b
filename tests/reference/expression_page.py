"""The table of signatures of docs/expression.md, from the signatures themselves: PYTHONPATH=tests python FILE."""

from pathlib import Path

from radiolocus.molecular.published_signatures import METHODS, published_signatures

PAGE = Path(__file__).resolve().parents[2] / "docs" / "expression.md"
BEGIN = "<!-- signatures: PYTHONPATH=tests python tests/reference/expression_page.py -->\n"
END = "<!-- end of signatures -->\n"


def table() -> str:
    rows = [
        "| `signature` | what | genes | score | unit | compares subjects | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    groups: dict[str, list] = {}
    for s in published_signatures().values():
        groups.setdefault(s.group, []).append(s)
    for group, members in sorted(groups.items()):
        for s in sorted(members, key=lambda s: s.name):
            names = ", ".join(s.members) if len(s.members) <= 18 else f"{len(s.members)}"
            need = f"{names} (all needed)" if s.complete else names
            cohort = "yes" if METHODS[s.method].cohort else "no"
            rows.append(
                f"| `{s.name}` (group `{group}`) | {s.title} | {need} | {s.definition} | {s.unit} | {cohort} "
                f"| {s.reference} |"
            )
    return "\n".join(rows) + "\n"


def page(text: str) -> str:
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
