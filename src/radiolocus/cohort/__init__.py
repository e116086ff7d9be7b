"""The one hallway: who is in the study, and where each of them was found.

Every table, image, genotype and molecular source passes through here to be put on the same subjects. Ids are
normalised by one rule for all sources; nothing is joined, dropped, preferred or left out without a line in
`membership` or `problems`.
"""

from radiolocus.cohort.align import align, phenotype_matrix
from radiolocus.cohort.hall import Cohort, Match, build, endpoints_of
from radiolocus.cohort.ids import IdRules
from radiolocus.cohort.options import CohortOptions, ColumnOptions, DateOptions, EndpointOptions, SubjectTable
from radiolocus.cohort.tables import SourceTable

__all__ = [
    "Cohort",
    "CohortOptions",
    "ColumnOptions",
    "DateOptions",
    "EndpointOptions",
    "IdRules",
    "Match",
    "SourceTable",
    "SubjectTable",
    "align",
    "build",
    "endpoints_of",
    "phenotype_matrix",
]
