"""The family of an imaging feature by its name."""

from __future__ import annotations

import re

__all__ = ["feature_family"]

_PYRADIOMICS = re.compile(r"_(shape2?D?|firstorder|glcm|glrlm|glszm|gldm|ngtdm)_")


def feature_family(name: str) -> str:
    """Family of a feature: its image, and what its name begins with.

    Parameters
    ----------
    name : str
        ``{image}:{feature}`` as in a study, or a name of PyRadiomics, or any.

    Returns
    -------
    str
        The image, if there is one, and the feature's family: the class in a name of PyRadiomics, otherwise what stands
        before the first underscore.

    >>> feature_family("PET:GTV@v2:cm_joint_max_3d_avg"), feature_family("log-sigma-1-0-mm-3D_glcm_Contrast")
    ('PET:GTV@v2:cm', 'glcm')
    >>> feature_family("volume")
    'volume'
    """
    image, colon, feature = name.rpartition(":")
    found = _PYRADIOMICS.search(feature)
    return image + colon + (found[1] if found else feature.split("_", 1)[0])
