"""The stages in order: sources are opened and matched, then each stage reads artefacts and writes artefacts."""

from radiolocus.pipeline.gather import Gathered, gather
from radiolocus.pipeline.run import Progress
from radiolocus.pipeline.study import Finished, parts_of, run_study

__all__ = ["Finished", "Gathered", "Progress", "gather", "parts_of", "run_study"]
