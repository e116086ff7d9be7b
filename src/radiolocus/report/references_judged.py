"""Methods and papers of what judges and explains outcome models."""

from __future__ import annotations

from radiolocus.report.source import Artefacts

__all__ = ["PAPERS", "USED_BY", "judged_methods"]

PAPERS = {
    "Calibration at horizons": "Austin PC, Harrell FE, van Klaveren D. Graphical calibration curves and the integrated "
    "calibration index (ICI) for survival models. Stat Med 2020;39:2714–2742. doi:10.1002/sim.8570",
    "Calibration of a class": "Van Calster B, McLernon DJ, van Smeden M, et al. Calibration: the Achilles heel of "
    "predictive analytics. BMC Med 2019;17:230. doi:10.1186/s12916-019-1466-7",
    "Pseudo-observations": "Andersen PK, Klein JP, Rosthøj S. Generalised linear models for correlated "
    "pseudo-observations, with applications to multi-state models. Biometrika 2003;90:15–27. "
    "doi:10.1093/biomet/90.1.15",
    "Antolini's C": "Antolini L, Boracchi P, Biganzoli E. A time-dependent discrimination index for survival data. "
    "Stat Med 2005;24:3927–3944. doi:10.1002/sim.2427",
    "Royston's D": "Royston P, Sauerbrei W. A new measure of prognostic separation in survival data. Stat Med "
    "2004;23:723–748. doi:10.1002/sim.1621",
    "Restricted mean": "Royston P, Parmar MKB. Restricted mean survival time: an alternative to the hazard ratio for "
    "the design and analysis of randomized trials with a time-to-event outcome. BMC Med Res Methodol 2013;13:152. "
    "doi:10.1186/1471-2288-13-152",
    "Time lost": "Andersen PK. Decomposition of number of life years lost according to causes of death. Stat Med "
    "2013;32:5278–5285. doi:10.1002/sim.5903",
    "Net reclassification, and why not": "Pepe MS, Fan J, Feng Z, Gerds T, Hilden J. The net reclassification index "
    "(NRI): a misleading measure of prediction improvement even with independent test data sets. Stat Biosci "
    "2015;7:282–295. doi:10.1007/s12561-014-9118-0",
    "Permutation importance": "Breiman L. Random forests. Mach Learn 2001;45:5–32. doi:10.1023/A:1010933404324",
    "Shapley values": "Lundberg SM, Erion G, Chen H, et al. From local explanations to global understanding with "
    "explainable AI for trees. Nat Mach Intell 2020;2:56–67. doi:10.1038/s42256-019-0138-9",
    "Nomogram": "Iasonos A, Schrag D, Raj GV, Panageas KS. How to build and interpret a nomogram for cancer prognosis. "
    "J Clin Oncol 2008;26:1364–1370. doi:10.1200/JCO.2007.12.9791",
    "Proportional hazards": "Grambsch PM, Therneau TM. Proportional hazards tests and diagnostics based on weighted "
    "residuals. Biometrika 1994;81:515–526. doi:10.1093/biomet/81.3.515",
}

USED_BY = {
    "outcome/calibration": ("Calibration at horizons", "Calibration of a class", "Pseudo-observations"),
    "outcome/decision": ("Decision curve",),
    "outcome/evaluation": ("Antolini's C", "Royston's D", "Restricted mean"),
    "outcome/comparison": ("Areas under two ROC curves", "Net reclassification, and why not"),
    "outcome/importance": ("Permutation importance",),
    "outcome/shap": ("Shapley values",),
    "outcome/nomogram": ("Nomogram",),
    "outcome/proportional_hazards": ("Proportional hazards",),
}


def judged_methods(art: Artefacts) -> str:
    """Sentences for the paragraph on outcome models; empty where nothing of it was done."""
    told = {
        "outcome/calibration": "Calibration: observed over expected, intercept, slope, and a loess curve of "
        "pseudo-observations, or of the class, with its distances from ideal (ICI, E50, E90).",
        "outcome/decision": "Net benefit was estimated over all thresholds (Vickers & Elkin 2006).",
        "outcome/importance": "Importance among held-out subjects: loss of C or AUC by shuffling (Breiman 2001)"
        + (", and Shapley values (Lundberg 2020)." if art.has("outcome/shap") else "."),
        "outcome/proportional_hazards": "Proportional hazards were tested by scores (Grambsch & Therneau 1994).",
    }
    found = [sentence for table, sentence in told.items() if art.has(table)]
    return "".join(f" {sentence}" for sentence in found)
