"""What an injected dose is spread over: body weight, lean body mass or body surface area.

References
----------
Janmahasatian S, et al. Quantification of lean bodyweight. Clin Pharmacokinet 2005;44:1051-65 (the formula that the EANM
FDG guideline 2.0 asks for: Boellaard R, et al. Eur J Nucl Med Mol Imaging 2015;42:328-54).
James WPT, Waterlow JC. Research on obesity. London: HMSO 1976 (male coefficient 128, as in DICOM's LBMJAMES128).
Du Bois D, Du Bois EF. A formula to estimate the approximate surface area. Arch Intern Med 1916;17:863-71.
"""

from __future__ import annotations

from typing import Literal

from pydicom.dataset import Dataset

from radiolocus.errors import FormatError
from radiolocus.read.options import SuvKind
from radiolocus.read.slices import positive

__all__ = ["SUV_UNITS", "body_measure", "body_surface", "lean_mass_james", "lean_mass_janmahasatian"]

SUV_UNITS = {"bw": "SUVbw g/mL", "lbm": "SUVlbm g/mL", "lbm_james": "SUVlbm g/mL", "bsa": "SUVbsa cm2/mL"}
Sex = Literal["M", "F"]
_TODO = "correct the header, or choose another suv for this image"
_HEIGHT = (0.3, 2.6)  # metres; what lies outside is most often centimetres


def lean_mass_janmahasatian(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Lean body mass in kg after Janmahasatian et al. 2005.

    >>> round(lean_mass_janmahasatian(70.0, 1.75, "M"), 3)
    55.857
    """
    index = weight_kg / height_m**2
    return 9270 * weight_kg / (6680 + 216 * index if sex == "M" else 8780 + 244 * index)


def lean_mass_james(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Lean body mass in kg after James and Waterlow 1976; falls again, even below 0, in the very obese.

    >>> round(lean_mass_james(70.0, 1.75, "M"), 3)
    56.52
    """
    ratio = (weight_kg / (100 * height_m)) ** 2
    return 1.10 * weight_kg - 128 * ratio if sex == "M" else 1.07 * weight_kg - 148 * ratio


def body_surface(weight_kg: float, height_m: float) -> float:
    """Body surface area in m² after Du Bois and Du Bois 1916.

    >>> round(body_surface(70.0, 1.75), 4)
    1.8481
    """
    return float(0.007184 * weight_kg**0.425 * (100 * height_m) ** 0.725)


def body_measure(head: Dataset, kind: SuvKind, where: str) -> tuple[float, str]:
    """What the dose is spread over, and that in words.

    Parameters
    ----------
    head : Dataset
        Header with weight and, beyond body weight, height and (lean mass) sex.
    kind : {"bw", "lbm", "lbm_james", "bsa"}
    where : str
        Name of the series in messages.

    Returns
    -------
    measure : float
        In g, or cm² for ``"bsa"``.
    text : str

    Raises
    ------
    FormatError
        An attribute is missing or impossible; it is named.
    """
    weight = positive(head, "PatientWeight", "Patient's Weight (0010,1030)", where)
    if kind == "bw":
        return weight * 1000.0, f"{weight:g} kg"
    height = positive(head, "PatientSize", "Patient's Size (0010,1020)", where)
    if not _HEIGHT[0] <= height <= _HEIGHT[1]:
        raise FormatError(
            f"Patient's Size (0010,1020) is {height:g} m",
            where=where,
            allowed=f"{_HEIGHT[0]:g} to {_HEIGHT[1]:g} m",
            todo="the value may be in cm; correct the header",
        )
    told = f"{weight:g} kg, {height:g} m"
    if kind == "bsa":
        area = body_surface(weight, height)
        return area * 1e4, f"{told}: body surface area {area:.4g} m² (Du Bois)"
    sex = str(head.get("PatientSex", "") or "").strip().upper()
    if sex not in ("M", "F"):
        raise FormatError(
            f"Patient's Sex (0010,0040) is {sex or 'missing'}",
            where=where,
            allowed="M or F, for lean body mass",
            todo=_TODO,
        )
    formula, name = (
        (lean_mass_janmahasatian, "Janmahasatian") if kind == "lbm" else (lean_mass_james, "James, coefficient 128")
    )
    lean = formula(weight, height, sex)  # type: ignore[arg-type]
    if not 0 < lean < weight:
        raise FormatError(
            f"lean body mass ({name}) of {told}, sex {sex} is {lean:.4g} kg",
            where=where,
            allowed="above 0 and below the body weight",
            todo='check weight and height; in the very obese use suv = "lbm" (Janmahasatian)',
        )
    return lean * 1000.0, f"{told}, sex {sex}: lean body mass {lean:.4g} kg ({name})"
