"""Tables and figures from artefacts to one page."""

from radiolocus.report.html import build, write

__all__ = ["build", "write"]
