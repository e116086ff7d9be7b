"""Morphological features (IBSI family HCUG).

Geometry is taken of the morphological mask, intensities of the intensity mask. The oriented minimum bounding box and
the minimum volume enclosing ellipsoid are not here: IBSI found no consensus value for them.
"""

from __future__ import annotations

import numpy as np

from radiolocus.feature.core import Context, Family
from radiolocus.feature.shape import Shape

__all__ = ["FAMILY"]


def _prepare(context: Context, aggregation: str) -> Shape:
    return Shape(context.region, context.share)


FAMILY = Family("morphology", "Morphology", _prepare)
feature = FAMILY.feature


@feature("morph_volume", "Volume (mesh)", "RNU0", "mm³")
def volume_mesh(s: Shape) -> float:
    """Volume enclosed by the surface mesh."""
    return s.volume


@feature("morph_vol_approx", "Volume (voxel counting)", "YEKZ", "mm³")
def volume_voxels(s: Shape) -> float:
    """Number of voxels times the volume of one."""
    return float(s.n_voxels * np.prod(s.spacing))


@feature("morph_area_mesh", "Surface area (mesh)", "C0JK", "mm²")
def area_mesh(s: Shape) -> float:
    """Area of the surface mesh."""
    return s.area


@feature("morph_av", "Surface to volume ratio", "2PR5", "1/mm")
def surface_to_volume(s: Shape) -> float:
    """Area of the mesh over its volume."""
    return s.area / s.volume


@feature("morph_comp_1", "Compactness 1", "SKGS")
def compactness_1(s: Shape) -> float:
    """Volume over √π times the area to the power 3/2."""
    return float(s.volume / (np.sqrt(np.pi) * s.area**1.5))


@feature("morph_comp_2", "Compactness 2", "BQWJ")
def compactness_2(s: Shape) -> float:
    """36π times the squared volume over the cubed area; 1 for a sphere."""
    return float(36 * np.pi * s.volume**2 / s.area**3)


@feature("morph_sph_dispr", "Spherical disproportion", "KRCK")
def spherical_disproportion(s: Shape) -> float:
    """Area of the mesh over the area of the sphere of the same volume."""
    return 1 / sphericity(s)


@feature("morph_sphericity", "Sphericity", "QCFX")
def sphericity(s: Shape) -> float:
    """Area of the sphere of the same volume over the area of the mesh."""
    return float((36 * np.pi * s.volume**2) ** (1 / 3) / s.area)


@feature("morph_asphericity", "Asphericity", "25C7")
def asphericity(s: Shape) -> float:
    """Spherical disproportion minus 1."""
    return spherical_disproportion(s) - 1


@feature("morph_com", "Centre of mass shift", "KLMA", "mm")
def centre_of_mass_shift(s: Shape) -> float:
    """Distance from the centre of the morphological mask to the intensity-weighted centre of the intensity mask."""
    return float(np.linalg.norm(s.centre - s.centre_of_intensity))


@feature("morph_diam", "Maximum 3D diameter", "L0JK", "mm")
def maximum_diameter(s: Shape) -> float:
    """Largest distance between two vertices of the mesh."""
    return s.diameter


@feature("morph_pca_maj_axis", "Major axis length", "TDIC", "mm")
def major_axis(s: Shape) -> float:
    """4 √λ of the largest eigenvalue of the covariance of the voxel centres."""
    return float(s.axes[0])


@feature("morph_pca_min_axis", "Minor axis length", "P9VJ", "mm")
def minor_axis(s: Shape) -> float:
    """4 √λ of the middle eigenvalue of the covariance of the voxel centres."""
    return float(s.axes[1])


@feature("morph_pca_least_axis", "Least axis length", "7J51", "mm")
def least_axis(s: Shape) -> float:
    """4 √λ of the smallest eigenvalue of the covariance of the voxel centres."""
    return float(s.axes[2])


@feature("morph_pca_elongation", "Elongation", "Q3CK")
def elongation(s: Shape) -> float:
    """Minor over major axis length; 1 for a sphere, 0 for a line."""
    return float(s.axes[1] / s.axes[0])


@feature("morph_pca_flatness", "Flatness", "N17B")
def flatness(s: Shape) -> float:
    """Least over major axis length; 1 for a sphere, 0 for a plane."""
    return float(s.axes[2] / s.axes[0])


@feature("morph_vol_dens_aabb", "Volume density (axis-aligned bounding box)", "PBX1")
def volume_density_box(s: Shape) -> float:
    """Volume of the mesh over that of its axis-aligned bounding box."""
    return float(s.volume / np.prod(s.box_mm))


@feature("morph_area_dens_aabb", "Area density (axis-aligned bounding box)", "R59B")
def area_density_box(s: Shape) -> float:
    """Area of the mesh over that of its axis-aligned bounding box."""
    z, y, x = s.box_mm
    return float(s.area / (2 * (z * y + z * x + y * x)))


@feature("morph_vol_dens_aee", "Volume density (approximate enclosing ellipsoid)", "6BDE")
def volume_density_ellipsoid(s: Shape) -> float:
    """Volume of the mesh over that of the ellipsoid with the principal axes."""
    return s.volume / s.ellipsoid[0]


@feature("morph_area_dens_aee", "Area density (approximate enclosing ellipsoid)", "RDD2")
def area_density_ellipsoid(s: Shape) -> float:
    """Area of the mesh over that of the ellipsoid with the principal axes."""
    return s.area / s.ellipsoid[1]


@feature("morph_vol_dens_conv_hull", "Volume density (convex hull)", "R3ER")
def volume_density_hull(s: Shape) -> float:
    """Volume of the mesh over that of its convex hull."""
    return s.volume / s.hull[0]


@feature("morph_area_dens_conv_hull", "Area density (convex hull)", "7T7F")
def area_density_hull(s: Shape) -> float:
    """Area of the mesh over that of its convex hull."""
    return s.area / s.hull[1]


@feature("morph_integ_int", "Integrated intensity", "99N0", "intensity·mm³")
def integrated_intensity(s: Shape) -> float:
    """Volume of the mesh times the mean intensity."""
    return float(s.volume * s.region.image[s.region.intensity].mean())


@feature("morph_moran_i", "Moran’s I index", "N365")
def moran_i(s: Shape) -> float:
    """Spatial autocorrelation of the intensities with inverse distances as weights; 0 without, 1 with perfect."""
    return s.autocorrelation[0]


@feature("morph_geary_c", "Geary’s C measure", "NPT7")
def geary_c(s: Shape) -> float:
    """Mean squared difference of pairs of intensities with inverse distances as weights, over twice the variance."""
    return s.autocorrelation[1]
