"""Names of the features of PyRadiomics 3.0.1, and what we call those whose definition is ours."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FEATURES", "FLAT", "ON_REQUEST", "REMOVED", "SAME"]

#: Class → PyRadiomics' name → our feature of the same definition, given the same grey levels and directions.
SAME: Mapping[str, Mapping[str, str]] = {
    "glcm": {
        "Autocorrelation": "cm_auto_corr",
        "ClusterProminence": "cm_clust_prom",
        "ClusterShade": "cm_clust_shade",
        "ClusterTendency": "cm_clust_tend",
        "Contrast": "cm_contrast",
        "DifferenceAverage": "cm_diff_avg",
        "DifferenceEntropy": "cm_diff_entr",
        "DifferenceVariance": "cm_diff_var",
        "Id": "cm_inv_diff",
        "Idm": "cm_inv_diff_mom",
        "Idmn": "cm_inv_diff_mom_norm",
        "Idn": "cm_inv_diff_norm",
        "InverseVariance": "cm_inv_var",
        "JointAverage": "cm_joint_avg",
        "JointEnergy": "cm_energy",
        "JointEntropy": "cm_joint_entr",
        "MaximumProbability": "cm_joint_max",
        "SumAverage": "cm_sum_avg",
        "SumEntropy": "cm_sum_entr",
        "SumSquares": "cm_joint_var",
    },
    "glrlm": {
        "GrayLevelNonUniformity": "rlm_glnu",
        "GrayLevelNonUniformityNormalized": "rlm_glnu_norm",
        "GrayLevelVariance": "rlm_gl_var",
        "HighGrayLevelRunEmphasis": "rlm_hgre",
        "LongRunEmphasis": "rlm_lre",
        "LongRunHighGrayLevelEmphasis": "rlm_lrhge",
        "LongRunLowGrayLevelEmphasis": "rlm_lrlge",
        "LowGrayLevelRunEmphasis": "rlm_lgre",
        "RunEntropy": "rlm_rl_entr",
        "RunLengthNonUniformity": "rlm_rlnu",
        "RunLengthNonUniformityNormalized": "rlm_rlnu_norm",
        "RunPercentage": "rlm_r_perc",
        "RunVariance": "rlm_rl_var",
        "ShortRunEmphasis": "rlm_sre",
        "ShortRunHighGrayLevelEmphasis": "rlm_srhge",
        "ShortRunLowGrayLevelEmphasis": "rlm_srlge",
    },
    "glszm": {
        "GrayLevelNonUniformity": "szm_glnu",
        "GrayLevelNonUniformityNormalized": "szm_glnu_norm",
        "GrayLevelVariance": "szm_gl_var",
        "HighGrayLevelZoneEmphasis": "szm_hgze",
        "LargeAreaEmphasis": "szm_lze",
        "LargeAreaHighGrayLevelEmphasis": "szm_lzhge",
        "LargeAreaLowGrayLevelEmphasis": "szm_lzlge",
        "LowGrayLevelZoneEmphasis": "szm_lgze",
        "SizeZoneNonUniformity": "szm_zsnu",
        "SizeZoneNonUniformityNormalized": "szm_zsnu_norm",
        "SmallAreaEmphasis": "szm_sze",
        "SmallAreaHighGrayLevelEmphasis": "szm_szhge",
        "SmallAreaLowGrayLevelEmphasis": "szm_szlge",
        "ZoneEntropy": "szm_zs_entr",
        "ZonePercentage": "szm_z_perc",
        "ZoneVariance": "szm_zs_var",
    },
    "gldm": {
        "DependenceEntropy": "ngl_dc_entr",
        "DependenceNonUniformity": "ngl_dcnu",
        "DependenceNonUniformityNormalized": "ngl_dcnu_norm",
        "DependenceVariance": "ngl_dc_var",
        "GrayLevelNonUniformity": "ngl_glnu",
        "GrayLevelVariance": "ngl_gl_var",
        "HighGrayLevelEmphasis": "ngl_hgce",
        "LargeDependenceEmphasis": "ngl_hde",
        "LargeDependenceHighGrayLevelEmphasis": "ngl_hdhge",
        "LargeDependenceLowGrayLevelEmphasis": "ngl_hdlge",
        "LowGrayLevelEmphasis": "ngl_lgce",
        "SmallDependenceEmphasis": "ngl_lde",
        "SmallDependenceHighGrayLevelEmphasis": "ngl_ldhge",
        "SmallDependenceLowGrayLevelEmphasis": "ngl_ldlge",
    },
    "ngtdm": {
        "Busyness": "ngt_busyness",
        "Coarseness": "ngt_coarseness",
        "Complexity": "ngt_complexity",
        "Contrast": "ngt_contrast",
        "Strength": "ngt_strength",
    },
}

#: The class of regions of one slice, of which there are features with `force2D` only.
FLAT = "shape2D"

#: Class → all of its features that are not deprecated: what a file asks for that names the class alone.
FEATURES: Mapping[str, tuple[str, ...]] = {
    "firstorder": (
        "10Percentile",
        "90Percentile",
        "Energy",
        "Entropy",
        "InterquartileRange",
        "Kurtosis",
        "Maximum",
        "Mean",
        "MeanAbsoluteDeviation",
        "Median",
        "Minimum",
        "Range",
        "RobustMeanAbsoluteDeviation",
        "RootMeanSquared",
        "Skewness",
        "TotalEnergy",
        "Uniformity",
        "Variance",
    ),
    "shape": (
        "Elongation",
        "Flatness",
        "LeastAxisLength",
        "MajorAxisLength",
        "Maximum2DDiameterColumn",
        "Maximum2DDiameterRow",
        "Maximum2DDiameterSlice",
        "Maximum3DDiameter",
        "MeshVolume",
        "MinorAxisLength",
        "Sphericity",
        "SurfaceArea",
        "SurfaceVolumeRatio",
        "VoxelVolume",
    ),
    FLAT: (
        "Elongation",
        "MajorAxisLength",
        "MaximumDiameter",
        "MeshSurface",
        "MinorAxisLength",
        "Perimeter",
        "PerimeterSurfaceRatio",
        "PixelSurface",
        "Sphericity",
    ),
    "glcm": tuple(sorted([*SAME["glcm"], "Correlation", "Imc1", "Imc2", "MCC"])),
    **{name: tuple(SAME[name]) for name in ("glrlm", "glszm", "gldm", "ngtdm")},
}

#: Class → features that PyRadiomics computes only where a file names them.
ON_REQUEST: Mapping[str, tuple[str, ...]] = {
    "firstorder": ("StandardDeviation",),
    "shape": ("Compactness1", "Compactness2", "SphericalDisproportion"),
    FLAT: ("SphericalDisproportion",),
}

#: Names that PyRadiomics knows but computes nothing for, and what stands for them.
REMOVED: Mapping[tuple[str, str], str] = {
    ("glcm", "Dissimilarity"): "DifferenceAverage",
    ("glcm", "Homogeneity1"): "Id",
    ("glcm", "Homogeneity2"): "Idm",
    ("glcm", "SumVariance"): "ClusterTendency",
    ("gldm", "DependencePercentage"): "the number 1",
    ("gldm", "GrayLevelNonUniformityNormalized"): "Uniformity of firstorder",
}
