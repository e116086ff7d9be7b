"""The stages in order: sources are opened and matched, then each stage reads artefacts and writes artefacts."""

from radiolocus.pipeline.gather import Gathered, gather
from radiolocus.pipeline.run import Progress
from radiolocus.pipeline.study import Finished, run_study

__all__ = ["Finished", "Gathered", "Progress", "gather", "run_study"]
