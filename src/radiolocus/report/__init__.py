"""Tables and figures from artefacts to one page."""
