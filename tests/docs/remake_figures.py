"""Make the figures of a page of the documentation again: ``python tests/docs/remake_figures.py gwas``.

The examples of the page write them below ``figures``; they are put below ``docs/figures``.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def remake(name: str) -> list[str]:
    """Run the Python examples of page `name` in a folder of their own and take its figures."""
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]*\]\(figures/([^)]+)\)", text)
    (DOCS / "figures").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        namespace: dict = {"__name__": name}
        for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            exec(compile(block, f"{name}.md", "exec"), namespace)
        for figure in shown:
            shutil.copyfile(Path("figures", figure), DOCS / "figures" / figure)
        os.chdir(DOCS)
    return shown


if __name__ == "__main__":
    for page in sys.argv[1:]:
        print(page, *remake(page))
