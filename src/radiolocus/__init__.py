"""Radiolocus: from images, genotypes, tumour tables and clinical tables to one report.

>>> import radiolocus
>>> sorted(radiolocus.__all__)[:4]
['BenefitOptions', 'BinaryOptions', 'CcaOptions', 'ClumpOptions']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radiolocus.app.plotting import plot
    from radiolocus.associate.binary import BinaryOptions
    from radiolocus.associate.clump import ClumpOptions, clump
    from radiolocus.associate.cohorts import CohortOrder
    from radiolocus.associate.export import export
    from radiolocus.associate.finemap import FinemapOptions, finemap
    from radiolocus.associate.genomewide import gwas
    from radiolocus.associate.gwas import GwasOptions
    from radiolocus.associate.instruments import open_traits
    from radiolocus.associate.ldsc import ldsc
    from radiolocus.associate.link import LinkOptions, link
    from radiolocus.associate.locus_cca import CcaOptions, locus_cca
    from radiolocus.associate.mediation import MediationOptions, mediation
    from radiolocus.associate.mendelian import MendelianOptions, mendelian
    from radiolocus.associate.meta import meta
    from radiolocus.associate.meta_window import MetaOptions
    from radiolocus.associate.mixed import MixedOptions
    from radiolocus.associate.query import query
    from radiolocus.associate.scan import scan
    from radiolocus.config import load_study
    from radiolocus.errors import RadiolocusError
    from radiolocus.feature.extract import extract
    from radiolocus.feature.lesion import measure_lesion
    from radiolocus.feature.maps import feature_map
    from radiolocus.feature.pyradiomics import extract_pyradiomics, read_pyradiomics
    from radiolocus.feature.settings import FeatureSettings
    from radiolocus.genome.ldscore import ld_scores, read_ld_scores
    from radiolocus.genome.qc import GenotypeOptions
    from radiolocus.model import Endpoint, Geometry, Mask, Volume
    from radiolocus.pipeline import run_study
    from radiolocus.read.genotype_files import open_genotypes
    from radiolocus.read.imaging import read_pair
    from radiolocus.read.lesions import read_lesions
    from radiolocus.read.nifti import write_nifti
    from radiolocus.read.options import ReadOptions
    from radiolocus.read.pgs import read_score_file, write_score_file
    from radiolocus.read.plink import PlinkSource, write_plink
    from radiolocus.read.sr_lesions import read_sr_lesions
    from radiolocus.read.subject_tables import read_subject_table
    from radiolocus.read.sumstats import read_sumstats
    from radiolocus.response.assess import assess
    from radiolocus.response.benefit import BenefitOptions, benefit
    from radiolocus.response.criterion import CriteriaOptions
    from radiolocus.response.delta import DeltaOptions, delta
    from radiolocus.response.recist11 import Recist11Options, recist11
    from radiolocus.response.respond import respond
    from radiolocus.stats.concordance import harrell_c
    from radiolocus.stats.cox import fit_cox
    from radiolocus.stats.interaction import interaction_test

    __version__: str

__all__ = [
    "BenefitOptions",
    "BinaryOptions",
    "CcaOptions",
    "ClumpOptions",
    "CohortOrder",
    "CriteriaOptions",
    "DeltaOptions",
    "Endpoint",
    "FeatureSettings",
    "FinemapOptions",
    "GenotypeOptions",
    "Geometry",
    "GwasOptions",
    "LinkOptions",
    "Mask",
    "MediationOptions",
    "MendelianOptions",
    "MetaOptions",
    "MixedOptions",
    "PlinkSource",
    "RadiolocusError",
    "ReadOptions",
    "Recist11Options",
    "Volume",
    "assess",
    "benefit",
    "clump",
    "delta",
    "export",
    "extract",
    "extract_pyradiomics",
    "feature_map",
    "finemap",
    "fit_cox",
    "gwas",
    "harrell_c",
    "interaction_test",
    "ld_scores",
    "ldsc",
    "link",
    "load_study",
    "locus_cca",
    "measure_lesion",
    "mediation",
    "mendelian",
    "meta",
    "open_genotypes",
    "open_traits",
    "plot",
    "query",
    "read_ld_scores",
    "read_lesions",
    "read_pair",
    "read_pyradiomics",
    "read_score_file",
    "read_sr_lesions",
    "read_subject_table",
    "read_sumstats",
    "recist11",
    "respond",
    "run_study",
    "scan",
    "write_nifti",
    "write_plink",
    "write_score_file",
]

_HOME = {
    "BenefitOptions": "response.benefit_options",
    "BinaryOptions": "associate.binary",
    "CcaOptions": "associate.locus_cca",
    "ClumpOptions": "associate.clump",
    "CohortOrder": "associate.cohorts",
    "CriteriaOptions": "response.criterion",
    "DeltaOptions": "response.delta",
    "Endpoint": "model",
    "FeatureSettings": "feature.settings",
    "FinemapOptions": "associate.finemap",
    "GenotypeOptions": "genome.qc",
    "Geometry": "model",
    "GwasOptions": "associate.gwas",
    "LinkOptions": "associate.link",
    "Mask": "model",
    "MediationOptions": "associate.mediation",
    "MendelianOptions": "associate.mendelian",
    "MetaOptions": "associate.meta_window",
    "MixedOptions": "associate.mixed",
    "PlinkSource": "read.plink",
    "RadiolocusError": "errors",
    "ReadOptions": "read.options",
    "Recist11Options": "response.recist11",
    "Volume": "model",
    "assess": "response.assess",
    "benefit": "response.benefit",
    "clump": "associate.clump",
    "delta": "response.delta",
    "export": "associate.export",
    "extract": "feature.extract",
    "extract_pyradiomics": "feature.pyradiomics",
    "feature_map": "feature.maps",
    "finemap": "associate.finemap",
    "fit_cox": "stats.cox",
    "gwas": "associate.genomewide",
    "harrell_c": "stats.concordance",
    "interaction_test": "stats.interaction",
    "ld_scores": "genome.ldscore",
    "ldsc": "associate.ldsc",
    "link": "associate.link",
    "load_study": "config",
    "locus_cca": "associate.locus_cca",
    "measure_lesion": "feature.lesion",
    "mediation": "associate.mediation",
    "mendelian": "associate.mendelian",
    "meta": "associate.meta",
    "open_genotypes": "read.genotype_files",
    "open_traits": "associate.instruments",
    "plot": "app.plotting",
    "query": "associate.query",
    "read_ld_scores": "genome.ldscore",
    "read_lesions": "read.lesions",
    "read_pair": "read.imaging",
    "read_pyradiomics": "feature.pyradiomics",
    "read_score_file": "read.pgs",
    "read_sr_lesions": "read.sr_lesions",
    "read_subject_table": "read.subject_tables",
    "read_sumstats": "read.sumstats",
    "recist11": "response.recist11",
    "respond": "response.respond",
    "run_study": "pipeline",
    "scan": "associate.scan",
    "write_nifti": "read.nifti",
    "write_plink": "read.plink",
    "write_score_file": "read.pgs",
}


def __getattr__(name: str) -> object:
    # Names are fetched on first use, so that a worker that measures an image does not load the plotting library.
    if name in _HOME:
        return getattr(import_module(f"radiolocus.{_HOME[name]}"), name)
    if name == "__version__":
        return import_module("importlib.metadata").version("radiolocus")
    raise AttributeError(f"module 'radiolocus' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
