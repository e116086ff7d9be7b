"""What was done, in sentences for a methods section, and the papers behind it."""

from __future__ import annotations

from typing import Any

import polars as pl

from radiolocus.report.figures_outcome import protocol
from radiolocus.report.references_judged import PAPERS, USED_BY, judged_methods
from radiolocus.report.source import Artefacts
from radiolocus.response.criterion import CRITERIA
from radiolocus.response.ctdna_rules import DEFINITIONS
from radiolocus.store import BINARY, read_json

__all__ = ["methods_of", "references_of"]

_PAPERS = {
    "IBSI": "Zwanenburg A, Vallières M, Abdalah MA, et al. The Image Biomarker Standardization Initiative: "
    "standardized "
    "quantitative radiomics for high-throughput image-based phenotyping. Radiology 2020;295:328–338. "
    "doi:10.1148/radiol.2020191145",
    "Perturbation": "Zwanenburg A, Leger S, Agolli L, et al. Assessing robustness of radiomic features by image "
    "perturbation. Sci Rep 2019;9:614. doi:10.1038/s41598-018-36938-4",
    "ICC": "Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability. Psychol Bull "
    "1979;86:420–428. doi:10.1037/0033-2909.86.2.420",
    "Intervals of ICC": "McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. "
    "Psychol Methods 1996;1:30–46. doi:10.1037/1082-989X.1.1.30",
    "Reading an ICC": "Koo TK, Li MY. A guideline of selecting and reporting intraclass correlation coefficients for "
    "reliability research. J Chiropr Med 2016;15:155–163. doi:10.1016/j.jcm.2016.02.012",
    "Repeatability coefficient": "Bland JM, Altman DG. Measuring agreement in method comparison studies. Stat Methods "
    "Med Res 1999;8:135–160. doi:10.1177/096228029900800204",
    "Negative controls": "Welch ML, McIntosh C, Haibe-Kains B, et al. Vulnerabilities of radiomic signature "
    "development: the need for safeguards. Radiother Oncol 2019;130:2–9. doi:10.1016/j.radonc.2018.10.027",
    "Genome-wide level": "Pe'er I, Yelensky R, Altshuler D, Daly MJ. Estimation of the multiple testing burden for "
    "genomewide association studies of nearly all common variants. Genet Epidemiol 2008;32:381–385. "
    "doi:10.1002/gepi.20303",
    "Genomic control": "Devlin B, Roeder K. Genomic control for association studies. Biometrics 1999;55:997–1004. "
    "doi:10.1111/j.0006-341X.1999.00997.x",
    "Effective number of phenotypes": "Li J, Ji L. Adjusting multiple testing in multilocus analyses using the "
    "eigenvalues of a correlation matrix. Heredity 2005;95:221–227. doi:10.1038/sj.hdy.6800717",
    "Saddle-point approximation": "Dey R, Schmidt EM, Abecasis GR, Lee S. A fast and accurate algorithm to test for "
    "binary phenotypes and its application to PheWAS. Am J Hum Genet 2017;101:37–49. doi:10.1016/j.ajhg.2017.05.014",
    "Penalised likelihood": "Firth D. Bias reduction of maximum likelihood estimates. Biometrika 1993;80:27–38. "
    "doi:10.1093/biomet/80.1.27",
    "Tests of all phenotypes at once": "van der Meer D, Frei O, Kaufmann T, et al. Understanding the genetic "
    "determinants of the brain with MOSTest. Nat Commun 2020;11:3512. doi:10.1038/s41467-020-17368-1",
    "False discovery rate": "Benjamini Y, Hochberg Y. Controlling the false discovery rate: a practical and powerful "
    "approach to multiple testing. J R Stat Soc B 1995;57:289–300. doi:10.1111/j.2517-6161.1995.tb02031.x",
    "Areas under two ROC curves": "DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more "
    "correlated receiver operating characteristic curves: a nonparametric approach. Biometrics 1988;44:837–845. "
    "doi:10.2307/2531595",
    "Penalties by block": "Boulesteix A-L, De Bin R, Jiang X, Fuchs M. IPF-LASSO: integrative L1-penalized regression "
    "with penalty factors for prediction based on multi-omics data. Comput Math Methods Med 2017;2017:7691937. "
    "doi:10.1155/2017/7691937",
    "Sparse group lasso": "Simon N, Friedman J, Hastie T, Tibshirani R. A sparse-group lasso. J Comput Graph Stat "
    "2013;22:231–245. doi:10.1080/10618600.2012.681250",
    "Stacking": "Breiman L. Stacked regressions. Mach Learn 1996;24:49–64. doi:10.1007/BF00117832",
    "Pattern submodels": "Fletcher Mercaldo S, Blume JD. Missing data and prediction: the pattern submodel. "
    "Biostatistics 2020;21:236–252. doi:10.1093/biostatistics/kxy040",
    "Factors of several blocks": "Escofier B, Pagès J. Multiple factor analysis (AFMULT package). Comput Stat Data "
    "Anal 1994;18:121–140. doi:10.1016/0167-9473(94)90135-X",
    "Sparse canonical scores": "Witten DM, Tibshirani R, Hastie T. A penalized matrix decomposition, with applications "
    "to sparse principal components and canonical correlation analysis. Biostatistics 2009;10:515–534. "
    "doi:10.1093/biostatistics/kxp008",
    "Decision curve": "Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating prediction models. "
    "Med Decis Making 2006;26:565–574. doi:10.1177/0272989X06295361",
    "Prediction sets": "Barber RF, Candès EJ, Ramdas A, Tibshirani RJ. Predictive inference with the jackknife+. Ann "
    "Stat 2021;49:486–507. doi:10.1214/20-AOS1965",
    "Sets class by class": "Vovk V. Cross-conformal predictors. Ann Math Artif Intell 2015;74:9–28. "
    "doi:10.1007/s10472-013-9368-4",
    "Permutation p-values": "Phipson B, Smyth GK. Permutation P-values should never be zero: calculating exact "
    "P-values when permutations are randomly drawn. Stat Appl Genet Mol Biol 2010;9:39. doi:10.2202/1544-6115.1585",
    "Gated attention": "Ilse M, Tomczak JM, Welling M. Attention-based deep multiple instance learning. Proc Mach "
    "Learn Res (ICML) 2018;80:2127–2136.",
    "Wide and deep": "Cheng H-T, Koc L, Harmsen J, et al. Wide & deep learning for recommender systems. Proc 1st "
    "Workshop on Deep Learning for Recommender Systems 2016:7–10. doi:10.1145/2988450.2988454",
    "Hazards in intervals by a network": "Gensheimer MF, Narasimhan B. A scalable discrete-time survival model for "
    "neural networks. PeerJ 2019;7:e6257. doi:10.7717/peerj.6257",
    "Grad-CAM": "Selvaraju RR, Cogswell M, Das A, et al. Grad-CAM: visual explanations from deep networks via "
    "gradient-based localization. Proc IEEE Int Conf Comput Vis 2017:618–626. doi:10.1109/ICCV.2017.74",
    "Integrated gradients": "Sundararajan M, Taly A, Yan Q. Axiomatic attribution for deep networks. Proc Mach Learn "
    "Res (ICML) 2017;70:3319–3328.",
    "Cox model": "Cox DR. Regression models and life-tables. J R Stat Soc B 1972;34:187–202. "
    "doi:10.1111/j.2517-6161.1972.tb00899.x",
    "Ties": "Efron B. The efficiency of Cox's likelihood function for censored data. J Am Stat Assoc 1977;72:557–565. "
    "doi:10.1080/01621459.1977.10480613",
    "C-index": "Harrell FE, Lee KL, Mark DB. Multivariable prognostic models: issues in developing models, evaluating "
    "assumptions and adequacy, and measuring and reducing errors. Stat Med 1996;15:361–387. "
    "doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4",
    "Uno's C": "Uno H, Cai T, Pencina MJ, D'Agostino RB, Wei LJ. On the C-statistics for evaluating overall adequacy "
    "of risk prediction procedures with censored survival data. Stat Med 2011;30:1105–1117. doi:10.1002/sim.4154",
    "AUC(t)": "Uno H, Cai T, Tian L, Wei LJ. Evaluating prediction rules for t-year survivors with censored regression "
    "models. J Am Stat Assoc 2007;102:527–537. doi:10.1198/016214507000000149",
    "Brier score": "Graf E, Schmoor C, Sauerbrei W, Schumacher M. Assessment and comparison of prognostic "
    "classification schemes for survival data. Stat Med 1999;18:2529–2545. "
    "doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5",
    "Survival curves": "Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. J Am Stat Assoc "
    "1958;53:457–481. doi:10.1080/01621459.1958.10501452",
    "Log-rank test": "Mantel N. Evaluation of survival data and two new rank order statistics arising in its "
    "consideration. Cancer Chemother Rep 1966;50:163–170.",
    "Competing events": "Fine JP, Gray RJ. A proportional hazards model for the subdistribution of a competing risk. "
    "J Am "
    "Stat Assoc 1999;94:496–509. doi:10.1080/01621459.1999.10474144",
    "Cause-specific hazards": "Benichou J, Gail MH. Estimates of absolute cause-specific risk in cohort studies. "
    "Biometrics 1990;46:813–826. doi:10.2307/2532098",
    "Gray's test": "Gray RJ. A class of K-sample tests for comparing the cumulative incidence of a competing risk. "
    "Ann Stat "
    "1988;16:1141–1154. doi:10.1214/aos/1176350951",
    "Cumulative incidence": "Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous Markov chains "
    "based on "
    "censored observations. Scand J Stat 1978;5:141–150.",
    "Concordance with competing events": "Wolbers M, Blanche P, Koller MT, Witteman JCM, Gerds TA. Concordance for "
    "prognostic models with competing risks. Biostatistics 2014;15:526–539. doi:10.1093/biostatistics/kxt059",
    "Ranked probability score": "Epstein ES. A scoring system for probability forecasts of ranked categories. J Appl "
    "Meteorol 1969;8:985–987.",
    "Risk groups out of fold": "Simon RM, Subramanian J, Li M-C, Menezes S. Using cross-validation to evaluate "
    "predictive accuracy of survival risk classifiers based on high-dimensional data. Brief Bioinform "
    "2011;12:203–214. doi:10.1093/bib/bbr001",
    "Follow-up": "Schemper M, Smith TL. A note on quantifying follow-up in studies of failure time. Control Clin "
    "Trials 1996;17:343–346. doi:10.1016/0197-2456(96)00075-X",
    "RECIST 1.1": "Eisenhauer EA, Therasse P, Bogaerts J, et al. New response evaluation criteria in solid tumours: "
    "revised RECIST guideline (version 1.1). Eur J Cancer 2009;45:228–247. doi:10.1016/j.ejca.2008.10.026",
    "Exact interval": "Clopper CJ, Pearson ES. The use of confidence or fiducial limits illustrated in the case of the "
    "binomial. Biometrika 1934;26:404–413. doi:10.1093/biomet/26.4.404",
    "Molecular response": "Goldberg SB, Narayan A, Kole AJ, et al. Early assessment of lung cancer immunotherapy "
    "response via circulating tumor DNA. Clin Cancer Res 2018;24:1872–1880. doi:10.1158/1078-0432.CCR-17-1341",
    "Molecular response by logs": "Kurtz DM, Scherer F, Jin MC, et al. Circulating tumor DNA measurements as early "
    "outcome predictors in diffuse large B-cell lymphoma. J Clin Oncol 2018;36:2845–2853. doi:10.1200/JCO.2018.78.5246",
    "Limits of means and ratios": "Zou GY, Donner A. Construction of confidence limits about effect measures: a "
    "general approach. Stat Med 2008;27:1693–1702. doi:10.1002/sim.3095",
    "Multiplicity of mutations": "McGranahan N, Favero F, de Bruin EC, et al. Clonal status of actionable driver "
    "events and the timing of mutational processes in cancer evolution. Sci Transl Med 2015;7:283ra54. "
    "doi:10.1126/scitranslmed.aaa1408",
    "Number of clones": "Schwarz G. Estimating the dimension of a model. Ann Stat 1978;6:461–464. "
    "doi:10.1214/aos/1176344136",
    "Pseudoprogression": "Lee JH, Long GV, Menzies AM, et al. Association between circulating tumor DNA and "
    "pseudoprogression in patients with metastatic melanoma treated with anti-programmed cell death 1 antibodies. JAMA "
    "Oncol 2018;4:717–721. doi:10.1001/jamaoncol.2017.5332",
    "Classes of resistance": "Kluger HM, Tawbi HA, Ascierto ML, et al. Defining tumor resistance to PD-1 pathway "
    "blockade: recommendations from the first meeting of the SITC Immunotherapy Resistance Taskforce. J Immunother "
    "Cancer 2020;8:e000398. doi:10.1136/jitc-2019-000398",
    "Mendelian randomisation": "Burgess S, Butterworth A, Thompson SG. Mendelian randomization analysis with multiple "
    "genetic variants using summarized data. Genet Epidemiol 2013;37:658–665. doi:10.1002/gepi.21758",
    "Egger's line": "Bowden J, Davey Smith G, Burgess S. Mendelian randomization with invalid instruments: effect "
    "estimation and bias detection through Egger regression. Int J Epidemiol 2015;44:512–525. "
    "doi:10.1093/ije/dyv080",
    "Weighted median": "Bowden J, Davey Smith G, Haycock PC, Burgess S. Consistent estimation in Mendelian "
    "randomization with some invalid instruments using a weighted median estimator. Genet Epidemiol "
    "2016;40:304–314. doi:10.1002/gepi.21965",
    "Weighted mode": "Hartwig FP, Davey Smith G, Bowden J. Robust inference in summary data Mendelian randomization "
    "via the zero modal pleiotropy assumption. Int J Epidemiol 2017;46:1985–1998. "
    "doi:10.1093/ije/dyx102",
    "I²GX": "Bowden J, Del Greco MF, Minelli C, et al. Assessing the suitability of summary data for "
    "two-sample Mendelian randomization analyses using MR-Egger regression: the role of the I² "
    "statistic. Int J Epidemiol 2016;45:1961–1974. doi:10.1093/ije/dyw220",
    "Steiger's direction": "Hemani G, Tilling K, Davey Smith G. Orienting the causal relationship between imprecisely "
    "measured traits using GWAS summary data. PLoS Genet 2017;13:e1007081. "
    "doi:10.1371/journal.pgen.1007081",
    "Meta-analysis": "Willer CJ, Li Y, Abecasis GR. METAL: fast and efficient meta-analysis of genomewide association"
    " scans. Bioinformatics 2010;26:2190–2191. doi:10.1093/bioinformatics/btq340",
    "Random effects": "DerSimonian R, Laird N. Meta-analysis in clinical trials. Control Clin Trials 1986;7:177–188. "
    "doi:10.1016/0197-2456(86)90046-2",
    "Heterogeneity": "Higgins JPT, Thompson SG. Quantifying heterogeneity in a meta-analysis. Stat Med "
    "2002;21:1539–1558. doi:10.1002/sim.1186",
    "Mediation": "Imai K, Keele L, Tingley D. A general approach to causal mediation analysis. Psychol Methods "
    "2010;15:309–334. doi:10.1037/a0020761",
    "Additive hazards": "Lin DY, Ying Z. Semiparametric analysis of the additive risk model. Biometrika 1994;81:61–71. "
    "doi:10.1093/biomet/81.1.61",
    "E-value": "VanderWeele TJ, Ding P. Sensitivity analysis in observational research: introducing the E-value. Ann "
    "Intern Med 2017;167:268–274. doi:10.7326/M16-2607",
    "Overlap weights": "Li F, Morgan KL, Zaslavsky AM. Balancing covariates via propensity score weighting. J Am Stat "
    "Assoc 2018;113:390–400. doi:10.1080/01621459.2016.1260466",
    "Balance": "Austin PC. Balance diagnostics for comparing the distribution of baseline covariates between treatment "
    "groups in propensity-score matched samples. Stat Med 2009;28:3083–3107. doi:10.1002/sim.3697",
    "Doubly robust scores": "Chernozhukov V, Chetverikov D, Demirer M, et al. Double/debiased machine learning for "
    "treatment and structural parameters. Econom J 2018;21:C1–C68. doi:10.1111/ectj.12097",
    "Meta-learners": "Künzel SR, Sekhon JS, Bickel PJ, Yu B. Metalearners for estimating heterogeneous treatment "
    "effects using machine learning. Proc Natl Acad Sci USA 2019;116:4156–4165. doi:10.1073/pnas.1804597116",
    "R-learner": "Nie X, Wager S. Quasi-oracle estimation of heterogeneous treatment effects. Biometrika "
    "2021;108:299–319. doi:10.1093/biomet/asaa076",
    "DR-learner": "Kennedy EH. Towards optimal doubly robust estimation of heterogeneous causal effects. Electron J "
    "Stat 2023;17:3008–3049. doi:10.1214/23-EJS2157",
    "Policy value": "Athey S, Wager S. Policy learning with observational data. Econometrica 2021;89:133–161. "
    "doi:10.3982/ECTA15732",
    "Calibration of benefit": "Chernozhukov V, Demirer M, Duflo E, Fernández-Val I. Generic machine learning inference "
    "on heterogeneous treatment effects in randomized experiments. arXiv:1712.04802",
    "Benefit curve": "Yadlowsky S, Fleming S, Shah N, Brunskill E, Wager S. Evaluating treatment prioritization rules "
    "via rank-weighted average treatment effects. arXiv:2111.07966",
    "Number needed to treat": "Altman DG. Confidence intervals for the number needed to treat. BMJ "
    "1998;317:1309–1312. doi:10.1136/bmj.317.7168.1309",
    "Classes of mutations": "Mayakonda A, Lin DC, Assenov Y, Plass C, Koeffler HP. Maftools: efficient and "
    "comprehensive analysis of somatic variants in cancer. Genome Res 2018;28:1747–1756. doi:10.1101/gr.239244.118",
    "Mutational burden": "Merino DM, McShane LM, Fabrizio D, et al. Establishing guidelines to harmonize tumor "
    "mutational burden (TMB). J Immunother Cancer 2020;8:e000147. doi:10.1136/jitc-2019-000147",
    "Mutational signatures": "Alexandrov LB, Nik-Zainal S, Wedge DC, et al. Signatures of mutational processes in "
    "human cancer. Nature 2013;500:415–421. doi:10.1038/nature12477",
    "Intervals of signatures": "Huang X, Wojtowicz D, Przytycka TM. Detecting presence of mutational signatures in "
    "cancer with confidence. Bioinformatics 2018;34:330–337. doi:10.1093/bioinformatics/btx604",
    "HRD-LOH": "Abkevich V, Timms KM, Hennessy BT, et al. Patterns of genomic loss of heterozygosity predict "
    "homologous recombination repair defects in epithelial ovarian cancer. Br J Cancer 2012;107:1776–1782. "
    "doi:10.1038/bjc.2012.451",
    "Telomeric allelic imbalance": "Birkbak NJ, Wang ZC, Kim JY, et al. Telomeric allelic imbalance indicates "
    "defective DNA repair and sensitivity to DNA-damaging agents. Cancer Discov 2012;2:366–375. "
    "doi:10.1158/2159-8290.CD-11-0206",
    "Large-scale transitions": "Popova T, Manié E, Rieunier G, et al. Ploidy and large-scale genomic instability "
    "consistently identify basal-like breast carcinomas with BRCA1/2 inactivation. Cancer Res 2012;72:5454–5462. "
    "doi:10.1158/0008-5472.CAN-12-1470",
    "Genome doubling": "Bielski CM, Zehir A, Penson AV, et al. Genome doubling shapes the evolution and prognosis of "
    "advanced cancers. Nat Genet 2018;50:1189–1195. doi:10.1038/s41588-018-0165-1",
    "Aneuploidy": "Taylor AM, Shih J, Ha G, et al. Genomic and functional approaches to understanding cancer "
    "aneuploidy. Cancer Cell 2018;33:676–689. doi:10.1016/j.ccell.2018.03.007",
    "Trial emulation": "Hernán MA, Robins JM. Using big data to emulate a target trial when a randomized trial is not "
    "available. Am J Epidemiol 2016;183:758–764. doi:10.1093/aje/kwv254",
    "Landmarking": "van Houwelingen HC. Dynamic prediction by landmarking in event history analysis. Scand J Stat "
    "2007;34:70–85. doi:10.1111/j.1467-9469.2006.00529.x",
    "Landmarking on a mixed model": "Paige E, Barrett J, Stevens D, et al. Landmark models for optimizing the use of "
    "repeated measurements of risk factors in electronic health records to predict future disease risk. Am J "
    "Epidemiol 2018;187:1530–1538. doi:10.1093/aje/kwy018",
    "Mixed model of a marker": "Laird NM, Ware JH. Random-effects models for longitudinal data. Biometrics "
    "1982;38:963–974. doi:10.2307/2529876",
    "Penalty of stacked landmarks": "Varin C, Vidoni P. A note on composite likelihood inference and model selection. "
    "Biometrika 2005;92:519–528. doi:10.1093/biomet/92.3.519",
    "Time-dependent covariates": "Andersen PK, Gill RD. Cox's regression model for counting processes: a large sample "
    "study. Ann Stat 1982;10:1100–1120. doi:10.1214/aos/1176345976",
}

_USED_BY = {
    "deep/performance": ("Gated attention", "Wide and deep"),
    "deep/horizons": ("Hazards in intervals by a network",),
    "deep/maps": ("Grad-CAM",),
    "deep/attention": ("Integrated gradients",),
    "features/features": ("IBSI",),
    "features/perturbed": ("Perturbation",),
    "features/repeatability": ("ICC", "Intervals of ICC", "Reading an ICC", "Repeatability coefficient"),
    "features/controls": ("Negative controls",),
    "sumstats/summary": (
        "Genome-wide level",
        "Genomic control",
        "Effective number of phenotypes",
        "False discovery rate",
    ),
    "sumstats/multitrait": ("Tests of all phenotypes at once",),
    "sumstats/cases": ("Saddle-point approximation", "Penalised likelihood"),
    "molecular/mutations": ("Classes of mutations",),
    "molecular/burden": ("Mutational burden",),
    "molecular/mutational_signatures": ("Mutational signatures", "Intervals of signatures"),
    "molecular/genomes": (
        "HRD-LOH",
        "Telomeric allelic imbalance",
        "Large-scale transitions",
        "Genome doubling",
        "Aneuploidy",
    ),
    "link/link": ("False discovery rate",),
    "sumstats/cohorts": ("Meta-analysis", "Random effects", "Heterogeneity"),
    "mendelian/estimates": (
        "Mendelian randomisation",
        "Egger's line",
        "Weighted median",
        "Weighted mode",
        "I²GX",
        "Steiger's direction",
    ),
    "mediation/effects": ("Mediation",),
    "mechanism/paths": ("Mediation", "Additive hazards", "E-value"),
    "genotyping/verdict": (
        "Permutation p-values",
        "Areas under two ROC curves",
        "Decision curve",
        "Prediction sets",
        "Sets class by class",
    ),
    "outcome/univariate": ("C-index", "False discovery rate"),
    "outcome/performance": ("Cox model", "Ties", "C-index"),
    "outcome/added_value": ("Decision curve",),
    "outcome/missing_modality": ("Pattern submodels",),
    "outcome/horizons": ("Uno's C", "AUC(t)", "Brier score"),
    "outcome/kaplan_meier": ("Survival curves",),
    "outcome/incidence": ("Cumulative incidence", "Competing events", "Cause-specific hazards"),
    "outcome/gray": ("Gray's test", "Concordance with competing events", "Risk groups out of fold", "Time lost"),
    "outcome/classes": ("Ranked probability score",),
    "outcome/logrank": ("Log-rank test", "Cox model", "Ties", "Risk groups out of fold"),
    "monitoring/performance": (
        "Landmarking",
        "Landmarking on a mixed model",
        "Mixed model of a marker",
        "Penalty of stacked landmarks",
        "Uno's C",
        "AUC(t)",
        "Brier score",
    ),
    "monitoring/time_dependent": ("Time-dependent covariates",),
    "cohort/endpoints": ("Follow-up",),
    "response/best": ("RECIST 1.1",),
    "response/rates": ("Exact interval",),
    "response/ctdna": (
        "Molecular response",
        "Molecular response by logs",
        "Exact interval",
        "Limits of means and ratios",
    ),
    "response/clones": ("Multiplicity of mutations", "Number of clones"),
    "response/combined": ("Pseudoprogression",),
    "response/resistance_classes": ("Classes of resistance",),
    "response/resistance": ("Penalised likelihood", "False discovery rate"),
    "benefit/interactions": ("False discovery rate",),
    "benefit/balance": ("Balance", "Overlap weights"),
    "benefit/effects": ("Number needed to treat",),
    "benefit/policy": ("Doubly robust scores", "Meta-learners", "R-learner", "DR-learner", "Policy value"),
    "benefit/heterogeneity": ("Calibration of benefit", "Benefit curve"),
    "benefit/checks": ("Trial emulation",),
}


def references_of(art: Artefacts) -> list[tuple[str, str]]:
    """Return (what for, paper) for every method behind a table that is there, in a fixed order."""
    made = [*_USED_BY.items(), *USED_BY.items()]
    used = {paper for table, papers in made if _made(art, table) for paper in papers}
    used |= {paper for beginning, paper in _BY_MODEL.items() if _fitted(art, beginning)}
    return [(name, paper) for name, paper in (_PAPERS | PAPERS).items() if name in used]


#: Papers of models by how their names begin.
_BY_MODEL = {
    "IPF-": "Penalties by block",
    "sparse group": "Sparse group lasso",
    "stacked": "Stacking",
    "factor": "Factors of several blocks",
    "sparse canonical": "Sparse canonical scores",
}


def _fitted(art: Artefacts, beginning: str) -> bool:
    frame = art.table("outcome/performance")
    return frame is not None and bool(frame["model"].str.starts_with(beginning).any())


def _made(art: Artefacts, table: str) -> bool:
    if table == "sumstats/cases":
        return any(_options(art, below).get("binary") for below in ("", BINARY))
    return art.has(table) or (table == "sumstats/summary" and art.has(f"{BINARY}/{table}"))


def _options(art: Artefacts, below: str = "") -> dict[str, Any]:
    return read_json(art.root / below, "sumstats/options.json") or {}


def _features(art: Artefacts) -> str:
    dictionary = art.table("features/dictionary")
    families = sorted(set(dictionary["family"].to_list())) if dictionary is not None else []
    named = f" ({', '.join(families)})" if families else ""
    return (
        f"Imaging features{named} follow the definitions of the Image Biomarker Standardisation Initiative (Zwanenburg "
        "2020); the settings of resampling, discretisation and aggregation are listed below."
    )


def _repeatability(art: Artefacts) -> str:
    perturbed = "perturbed copies of every image (Zwanenburg 2019)" if art.has("features/perturbed") else ""
    visits = art.setting("imaging", "retest", "visits")
    again = f"the visits {', '.join(visits)}" if visits else ""
    return (
        f"Repeatability was estimated from {' and '.join(p for p in (perturbed, again) if p)} as ICC(1,1) and ICC(3,1) "
        "(Shrout & Fleiss 1979) with intervals of the F distribution (McGraw & Wong 1996), over all subjects and "
        f"without any outcome.{_demands(art)}"
    )


def _demands(art: Artefacts) -> str:
    asked = {stage: art.setting(stage, "icc_min") for stage in ("genetics", "link", "outcome")}
    words = [
        f"{stage}: {'lower end of the interval' if art.setting(stage, 'icc_by') == 'lower' else 'estimate'} of "
        f"ICC(1,1) at least {least:g}"
        for stage, least in asked.items()
        if least is not None
    ]
    return f" Only repeatable features were analysed ({'; '.join(words)})." if words else ""


def _adjustment(art: Artefacts, below: str = "") -> str:
    options = _options(art, below)
    adjusted = [str(name) for name in options.get("covariates", ())]
    return f", adjusted for {', '.join(adjusted)}" if adjusted else ", without covariates"


_MODELS = {
    "lmm": "by a linear mixed model with the variance ratio of the phenotype without any variant (EMMAX)",
    "lmm-exact": "by a linear mixed model (GEMMA's Wald test)",
    "ridge": "by least squares after stacked ridge predictions of the other chromosomes were taken out (REGENIE)",
}
_LEVELS = (
    "Significance: 5 × 10⁻⁸ (Pe'er 2008), the same over the effective number of phenotypes (Li & Ji 2005), Bonferroni "
    "and the false discovery rate (Benjamini & Hochberg 1995) over all tests that were made. Inflation: λGC (Devlin & "
    "Roeder 1999)."
)


def _logistic(art: Artefacts, below: str) -> str:
    return (
        f"Every binary phenotype was tested by logistic regression{_adjustment(art, below)}: score test, in its tail "
        "the saddle-point approximation (Dey 2017) or Firth's penalised likelihood (1993), as column test says; "
        "effects are log odds ratios."
    )


_COMBINED = {
    "fixed": "weighted by their inverse variances",
    "random": "by a random-effects model",
    "sample_size": "as z weighted by the root of the sample size (Willer 2010)",
}
_TAU2 = {"dl": "DerSimonian & Laird 1986", "pm": "Paule & Mandel 1982", "reml": "restricted maximum likelihood"}


def _meta(art: Artefacts, options: dict[str, Any]) -> str:
    frame = art.table("sumstats/cohorts")
    cohorts = frame["cohort"].n_unique() if frame is not None else 0
    widened = " Standard errors were widened by genomic control where λ > 1." if options["genomic_control"] else ""
    return (
        f"Estimates of {cohorts} cohorts were brought to one effect allele and strand and combined "
        f"{_COMBINED[options['model']]}; the variance between cohorts is that of {_TAU2[options['tau2']]}, "
        f"heterogeneity Cochran's Q (1954) and I² (Higgins & Thompson 2002).{widened}"
    )


def _mendelian(_art: Artefacts) -> str:
    return (
        "The effect of each exposure on each outcome was estimated by two-sample Mendelian randomisation: inverse "
        "variance (Burgess 2013), Egger (Bowden 2015), weighted median (Bowden 2016) and weighted mode (Hartwig 2017), "
        "with Steiger's test of direction (Hemani 2017)."
    )


def _genetics(art: Artefacts) -> str:
    options = _options(art)
    if options.get("meta"):
        return f"{_meta(art, options['meta'])} {_LEVELS}"
    if options.get("binary"):
        return f"{_logistic(art, '')} {_LEVELS}"
    if not options:
        return f"{_logistic(art, BINARY)} {_LEVELS}"
    how = _MODELS.get((options.get("mixed") or {}).get("model", ""), "by least squares")
    linear = (
        f"Every phenotype was regressed on the count of the effect allele of every variant {how}{_adjustment(art)}. "
        "p-values are two-sided, from Student's t with the residual degrees of freedom."
    )
    binary = f" {_logistic(art, BINARY)}" if (art.root / BINARY / "sumstats/options.json").is_file() else ""
    return f"{linear}{binary} {_LEVELS}"


def _tumours(art: Artefacts) -> str:
    """What was derived from mutations and copy number."""
    parts = []
    if art.has("molecular/mutations"):
        parts.append(
            "Mutated is a gene with a somatic variant of one of nine nonsynonymous classes (Mayakonda 2018); who "
            "was not sequenced is missing."
        )
    if (table := art.table("molecular/burden")) is not None:
        parts.append(
            f"Mutational burden: variants per Mb of {table['megabases'][0]:g} Mb, with the exact interval of a Poisson "
            "count."
        )
    if art.has("molecular/mutational_signatures"):
        parts.append(
            "The 96 classes of substitutions (Alexandrov 2013) were fitted to the supplied signatures by non-negative "
            "least squares, with bootstrap intervals (after Huang 2018)."
        )
    if art.has("molecular/genomes"):
        parts.append(
            "Scars of homologous recombination deficiency were counted on allele-specific segments (Abkevich, "
            "Birkbak and Popova 2012), genome doubling after Bielski 2018, aneuploidy of arms after Taylor 2018."
        )
    return " ".join(parts)


def _link(art: Artefacts) -> str:
    frame = art.table("link/link")
    tests = ", ".join(sorted(set(frame["test"].drop_nulls().to_list()))) if frame is not None else ""
    return (
        f"Every imaging feature was tested against every molecular marker (tests used: {tests}), with Bonferroni and "
        "false discovery rate over all pairs."
    )


def _genotyping(art: Artefacts) -> str:
    frame = art.table("genotyping/performance")
    design = f" ({protocol(frame)})" if frame is not None else ""
    numbers = (
        " Of numbers: R² against the mean of the training part, root mean squared error, Spearman's correlation and "
        "calibration slope within folds."
        if frame is not None and (frame["kind"] == "continuous").any()
        else ""
    )
    return (
        "Markers were predicted from imaging features out of fold only: imputation, filters, selection, scaling and "
        f"tuning were learned inside the training part{design}, and so were thresholds. Area under the ROC curve "
        "within folds with bootstrap intervals, average precision, Brier score, calibration slope and intercept, net "
        "benefit (Vickers & Elkin 2006). Candidates shared subjects and folds; their differences by bootstrap and by "
        f"DeLong's test (1988).{numbers} The whole procedure was run on permuted markers (Phipson & Smyth 2010). "
        "Prediction sets: CV+ (Barber 2021), class by class (Vovk 2015), on the inner folds."
    )


def _outcome(art: Artefacts) -> str:
    frame = art.table("outcome/performance")
    design = f" ({protocol(frame)})" if frame is not None else ""
    at_times = (
        " At horizons: Uno's C (2011), cumulative/dynamic AUC (Uno 2007) and Brier score (Graf 1999), weighted by the "
        "inverse probability of censoring."
        if art.has("outcome/horizons")
        else ""
    )
    blocks = (
        " Several blocks of predictors: what one adds to others, and what a model gains over the simplest, is the "
        "difference on the same subjects, folds and bootstrap draws, with the likelihood ratio of the out-of-fold "
        "scores within folds and the difference of net benefit (Vickers & Elkin 2006)."
        if art.has("outcome/added_value")
        else ""
    )
    return (
        "Outcome models were evaluated out of fold only: imputation, scaling, selection and penalty were learned "
        "inside "
        f"the training part{design}. Discrimination: Harrell's C (1996) for times to event, area under the ROC curve "
        f"for binary endpoints, with bootstrap intervals.{at_times}{blocks} Risk groups: Kaplan–Meier curves "
        f"(1958), log-rank test (Mantel 1966), hazard ratio from a Cox model with Efron's ties (1977)."
        f"{_states(art)}{judged_methods(art)}"
    )


def _states(art: Artefacts) -> str:
    """What was done beside, with several kinds of event or several classes."""
    told = ""
    if art.has("outcome/incidence"):
        told += (
            " With competing events: ridge cause-specific Cox models, put together to the cumulative incidence "
            "(Benichou & "
            "Gail 1990), or Fine and Gray's model (1999); concordance of Wolbers (2014), scores that count a "
            "competing event "
            "as none of interest; cumulative incidence of the groups (Aalen & Johansen 1978) and Gray's test (1988)."
        )
    if art.has("outcome/classes"):
        told += (
            " Several classes: concordance of ordered classes or Hand and Till's M (2001), ranked probability score "
            "(Epstein "
            "1969) or Brier score beside the frequencies of the training part, calibration of every cut or class."
        )
    return told


def _deep(art: Artefacts) -> str:
    frame = art.table("deep/performance")
    seen: list[str] = []
    if frame is not None:
        own = frame.filter(pl.col("model") == "network", pl.col("patients") == "all")
        seen = own["predictors"].unique(maintain_order=True).to_list()
    discrete = art.setting("deep", "loss") == "discrete"
    loss = "discrete-time likelihood (Gensheimer 2019)" if discrete else "Cox's partial likelihood"
    return (
        f"Networks on {', '.join(seen)} were trained end to end (convolutional encoders, gated attention "
        "over the modalities that a patient has (Ilse 2018), added to an elastic net of the numbers (wide and deep, "
        f"Cheng 2016)) by {loss} or log loss, one for each inner fold, which stopped it early; all of it inside the "
        "training part of each outer fold. They were judged out of fold on the same subjects and folds as the simple "
        "models beside them. Explanations (Grad-CAM, Selvaraju 2017; integrated gradients, Sundararajan 2017) are of "
        "subjects that the networks did not learn from."
    )


def _response(art: Artefacts) -> str:
    frame = art.table("response/criteria_best")
    others = frame["criterion"].unique(maintain_order=True).to_list() if frame is not None else []
    papers = [f"{CRITERIA[c].title}: {CRITERIA[c].paper}" for c in others if c in CRITERIA]
    recist = (
        "Response at each visit and best overall response follow RECIST 1.1 (Eisenhauer 2009) on the measured lesions"
    )
    if others and "recist11" not in others:
        recist = "Response at each visit and best overall response were called on the measured lesions"
    beside = f" ({'; '.join(papers)})" if papers else ""
    return f"{recist}{beside}; rates have exact intervals (Clopper & Pearson 1934)."


def _blood(art: Artefacts) -> str:
    parts = []
    if art.has("response/ctdna"):
        name = art.setting("response", "ctdna", "definition") or "fall50"
        told = DEFINITIONS[name]
        parts.append(
            f"Molecular response: {told.meaning} ({told.source}); intervals of means and changes were recovered from "
            "exact limits of every variant (Zou & Donner 2008)."
        )
    if art.has("response/clones"):
        parts.append(
            "Clones: cancer cell fractions from allele fraction, purity and copy number, clustered over samples by a "
            "binomial mixture with the number of clones of the smallest BIC (Schwarz 1978); trees by the sum rule."
        )
    if art.has("response/resistance_classes"):
        parts.append("Resistance was classed after Kluger 2020 and compared by Firth's logistic regression.")
    return " ".join(parts)


def _mechanism(art: Artefacts) -> str:
    adjusted = art.setting("mechanism", "covariates") or ()
    given = f" given {', '.join(adjusted)}" if adjusted else ""
    return (
        "Effects of markers on outcomes were split into what goes through an imaging feature and what does not"
        f"{given} (Imai 2010): linear model of the feature, logistic model of a binary outcome, additive hazards "
        "(Lin & Ying 1994) of a survival outcome, bootstrap intervals, E-values (VanderWeele & Ding 2017)."
    )


def _benefit(art: Artefacts) -> str:
    lot = art.setting("benefit", "randomised")
    strata = art.setting("benefit", "strata") or ()
    confounders = art.setting("benefit", "confounders") or ()
    within = f" in each stratum of {', '.join(strata)}" if strata else ""
    chosen = f"a model of {', '.join(confounders) or 'no confounder'}"
    chance = f"the share treated{within} (drawn by lot)" if lot else chosen
    return (
        "Treatment × marker was tested by likelihood ratio (penalised where the classes are separated), with "
        "Bonferroni and the false discovery rate within families of markers. Benefit was predicted by meta-learners "
        "(Künzel 2019; Nie & Wager 2021; Kennedy 2023), cross-fitted, with probabilities of treatment from "
        f"{chance}; the value of the rule (Athey & Wager 2021), its calibration (Chernozhukov 2018) and benefit "
        "curve (Yadlowsky 2021) rest on doubly robust scores of subjects held out."
    )


def _monitoring(art: Artefacts) -> str:
    landmarks, performance = art.table("monitoring/landmarks"), art.table("monitoring/performance")
    if landmarks is None or performance is None:
        return ""
    times = ", ".join(f"{s:g}" for s in landmarks["landmark"].unique().sort())
    window, unit = landmarks.select("window", "unit").row(0)
    repeats, folds = performance.select(pl.col("repeats", "folds").max()).row(0)
    return (
        f"Risk within {window:g} {unit} was re-estimated by landmark supermodels (van Houwelingen 2007) at {times} "
        f"{unit}: Cox models of the stacked landmarks with a smooth baseline in the landmark, robust errors by subject "
        "and a ridge penalty by composite likelihood (Varin & Vidoni 2005). Markers entered by their first value, "
        "their last, their change, or level and slope by the best linear unbiased predictions of a mixed model with "
        "random intercept and slope (Laird & Ware 1982; Paige 2018) from visits up to the landmark. All was learned in "
        f"the training part of {repeats} × {folds}-fold cross-validation by subject; intervals by bootstrap."
    )


_TOLD = (
    (("features/features",), _features),
    (("features/repeatability",), _repeatability),
    (("sumstats/summary", f"{BINARY}/sumstats/summary"), _genetics),
    (("molecular/mutations", "molecular/burden", "molecular/mutational_signatures", "molecular/genomes"), _tumours),
    (("link/link",), _link),
    (("mendelian/estimates",), _mendelian),
    (("genotyping/verdict",), _genotyping),
    (("outcome/performance", "outcome/univariate"), _outcome),
    (("deep/performance",), _deep),
    (("monitoring/performance",), _monitoring),
    (("response/best", "response/timepoints", "response/criteria_best"), _response),
    (("response/ctdna", "response/clones", "response/resistance_classes"), _blood),
    (("benefit/verdicts",), _benefit),
    (("mechanism/paths",), _mechanism),
)


def methods_of(art: Artefacts) -> list[str]:
    """Return a paragraph for each stage that left artefacts."""
    return [tell(art) for tables, tell in _TOLD if art.has(*tables)]
