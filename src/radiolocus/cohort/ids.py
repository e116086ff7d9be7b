"""Ids: how they are normalised, ordered and compared."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from radiolocus.errors import ConfigError

__all__ = ["IdRules", "Nearest", "Rank", "natural_key"]

# https://docs.gdc.cancer.gov/Encyclopedia/pages/TCGA_Barcode/: project, tissue source site, participant; then sample
# type and vial, portion and analyte, plate, centre. R writes dots for the hyphens.
_BARCODE = re.compile(
    r"TCGA[-._](?P<site>[A-Z0-9]{2})[-._](?P<participant>[A-Z0-9]{4})"
    r"(?:[-._](?P<type>\d{2})(?P<vial>[A-Z])?(?P<rest>(?:[-._]\w+)*))?",
    re.IGNORECASE,
)
# https://gdc.cancer.gov/resources-tcga-users/tcga-code-tables/sample-type-codes: primary tumours (solid, blood, bone
# marrow, additional), then recurrences, then metastases. 10 to 14 and 20 are normal tissue and control analytes.
_TUMOURS = ("01", "03", "09", "05", "02", "04", "40", "06", "07", "08", "50", "60", "61")
_NORMALS = ("10", "11", "12", "13", "14", "15", "16", "20")

Rank = tuple[object, ...]


@dataclass(frozen=True)
class IdRules:
    """How the ids of every source become the ids of the cohort.

    The rules are applied in this order: strip, case, replace, visit, barcode, extract. An alias may name the id before
    or after them. Where a source has several samples or visits of a subject and these rules tell them apart, one of
    them counts, the same in every source: the primary tumour before recurrences before metastases, of equal ones the
    first vial, of equal ones the last aliquot by its name (the highest plate); the first visit in natural order.

    Parameters
    ----------
    strip : bool
        Remove surrounding space.
    case : {"keep", "upper", "lower"}
        Letter case of the ids.
    extract : str or None
        Regular expression with one group; where it is found, the group becomes the id, otherwise the id stays whole.
    replace : tuple of (str, str)
        Pairs of regular expression and replacement, applied in turn.
    aliases : dict of str to str
        Other names of subjects; the right-hand side is the id in the cohort.
    barcode : {"none", "tcga"}
        ``"tcga"``: an id that holds a TCGA barcode of any length and case (participant, sample, aliquot; also with
        dots) is that participant, TCGA-XX-XXXX; normal tissue and control samples belong to nobody.
    visit : str or None
        Regular expression with one group, the visit; what it matches is taken out of the id.
    """

    strip: bool = True
    case: Literal["keep", "upper", "lower"] = "keep"
    extract: str | None = None
    replace: tuple[tuple[str, str], ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)
    barcode: Literal["none", "tcga"] = "none"
    visit: str | None = None

    def __post_init__(self) -> None:
        if self.case not in ("keep", "upper", "lower"):
            raise ConfigError(f"case = '{self.case}'", where="ids", allowed="keep, upper, lower")
        if self.barcode not in ("none", "tcga"):
            raise ConfigError(f"barcode = '{self.barcode}'", where="ids", allowed="none, tcga")
        named = {"extract": self.extract, "visit": self.visit}
        for name, pattern in [("replace", p) for p, _ in self.replace] + [(n, p) for n, p in named.items() if p]:
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ConfigError(f"'{pattern}' is no regular expression ({error})", where="ids") from error
            if name in named and groups != 1:
                raise ConfigError(f"{name} = '{pattern}' has {groups} groups", where="ids", allowed="one group")

    def normalise(self, raw: object) -> str:
        """Return the cohort's id of a raw id; empty when there is none (null, NaN, blank).

        Whole numbers lose their ``.0``, which spreadsheets add to ids.
        """
        if raw is None or (isinstance(raw, float) and math.isnan(raw)):
            return ""
        text = re.sub(r"^(\d+)\.0+$", r"\1", str(raw))
        if text in self.aliases:
            return self.aliases[text]
        text = self._dressed(text)
        if self.visit is not None:
            text = re.sub(self.visit, "", text, count=1)
        barcode = self._barcode(text)
        if barcode is not None:
            if barcode["type"] in _NORMALS:
                return ""
            text = f"TCGA-{barcode['site']}-{barcode['participant']}".upper()
        found = re.search(self.extract, text) if self.extract is not None else None
        text = (found.group(1) or "") if found else text
        return self.aliases.get(text, text)

    def rank(self, raw: object) -> Rank | None:
        """Return a key that is smallest for the sample and visit that counts; None when the rules tell none apart."""
        if self.barcode == "none" and self.visit is None:
            return None
        text = self._dressed(str(raw))
        visit = re.search(self.visit, text) if self.visit is not None else None
        barcode = self._barcode(re.sub(self.visit, "", text, count=1) if self.visit is not None else text)
        sample: Rank = (0, "", ())
        if barcode is not None and barcode["type"] is not None:
            known = barcode["type"] in _TUMOURS
            place = _TUMOURS.index(barcode["type"]) if known else len(_TUMOURS)
            rest = barcode["rest"].upper()
            # Reversed code points: the last aliquot stands first, and a whole barcode before its own beginning.
            sample = (place, (barcode["vial"] or "").upper(), (*(-ord(c) for c in rest), 1))
        return natural_key((visit.group(1) or "") if visit else ""), sample

    def names_less(self, raw: object, other: object) -> bool:
        """Whether an id may mean the very sample and visit of another one, of which it says less.

        ``TCGA-HT-7467`` and ``TCGA-HT-7467-01`` do of ``TCGA-HT-7467-01A-11D``: lists of who was sequenced name
        patients, files of mutations name aliquots.
        """
        less, more = self._told(raw), self._told(other)
        return less != more and all(a in ("", b) for a, b in zip(less, more, strict=True))

    def same_tumour(self, raw: object, other: object) -> bool:
        """Whether two ids may mean the same visit and sample type, if another vial or aliquot of it."""
        mine, theirs = self._told(raw)[:2], self._told(other)[:2]
        return all("" in (a, b) or a == b for a, b in zip(mine, theirs, strict=True))

    def _told(self, raw: object) -> tuple[str, ...]:
        """Visit, sample type, vial and the rest of the barcode; empty where the id does not say it."""
        text = self._dressed(str(raw))
        visit = re.search(self.visit, text) if self.visit is not None else None
        barcode = self._barcode(re.sub(self.visit, "", text, count=1) if self.visit is not None else text)
        sample = ("", "", "") if barcode is None else (barcode["type"], barcode["vial"], barcode["rest"])
        parts = ((visit.group(1) or "") if visit else "", *(p or "" for p in sample))
        return tuple(p.upper().replace("_", "-").replace(".", "-") for p in parts)

    def is_normal(self, raw: object) -> bool:
        """Whether an id says that its sample is normal tissue or a control, not the tumour."""
        barcode = self._barcode(self._dressed(str(raw)))
        return barcode is not None and barcode["type"] in _NORMALS

    def _dressed(self, text: str) -> str:
        text = text.strip() if self.strip else text
        text = {"keep": text, "upper": text.upper(), "lower": text.lower()}[self.case]
        for pattern, new in self.replace:
            text = re.sub(pattern, new, text)
        return text

    def _barcode(self, text: str) -> re.Match[str] | None:
        return _BARCODE.search(text) if self.barcode == "tcga" else None


def natural_key(text: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sort key under which ``S2`` stands before ``S10``."""
    parts = re.findall(r"\d+|\D+", text)
    # isdecimal characters beyond ASCII are ordinary digits to int().
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts), text


class Nearest:
    """Finds the subject that an unknown id probably means.

    In a numbered series every id is one digit from its neighbour, so plain string distance would name a wrong
    person. An id is plausible only when nothing but punctuation, case, leading zeros, up to two letters at the end or
    whole words around it differ, or when the words with digits agree and the others look alike.
    """

    def __init__(self, subjects: Sequence[str]) -> None:
        self._by_key: dict[str, list[str]] = {}
        self._by_trimmed: dict[str, list[str]] = {}
        self._by_run: dict[str, list[str]] = {}
        self._by_digits: dict[tuple[str, ...], list[str]] = {}
        for subject in subjects:
            words = _words(subject)
            key = "".join(words)
            self._by_key.setdefault(key, []).append(subject)
            for trimmed in _trimmed(key):
                self._by_trimmed.setdefault(trimmed, []).append(subject)
            for run in _runs(words):
                self._by_run.setdefault(run, []).append(subject)
            self._by_digits.setdefault(_with_digits(words), []).append(subject)

    def find(self, text: str) -> str | None:
        """Return the plausible subject; None when there is none or more than one."""
        words = _words(text)
        key = "".join(words)
        guesses = [self._by_key.get(key, []), *(self._by_key.get(t, []) for t in _trimmed(key))]
        guesses += [self._by_trimmed.get(key, []), *(self._by_key.get(r, []) for r in _runs(words))]
        guesses.append(self._by_run.get(key, []))
        for found in guesses:
            if found:
                return found[0] if len(found) == 1 else None
        alike = self._by_digits.get(_with_digits(words), [])
        near = difflib.get_close_matches(text, alike, n=1, cutoff=0.8)
        return near[0] if near else None


def _words(text: str) -> list[str]:
    """Letters and digits of an id, word by word, in lower case and without leading zeros."""
    return [re.sub(r"(?<!\d)0+(?=\d)", "", w.casefold()) for w in re.findall(r"[^\W_]+", text)]


def _with_digits(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(w for w in words if any(c.isdigit() for c in w))


def _trimmed(key: str) -> list[str]:
    """The key without one or two letters behind its last digit."""
    tail = re.search(r"(?<=\d)[^\W\d_]{1,2}$", key)
    return [key[: tail.start()]] if tail else []


def _runs(words: Sequence[str]) -> list[str]:
    """Runs of neighbouring words that hold a digit, longest first, the whole id left out."""
    n = len(words)
    spans = [(a, b) for a in range(n) for b in range(a + 1, n + 1) if b - a < n]
    runs = {"".join(words[a:b]) for a, b in spans}
    return sorted((r for r in runs if any(c.isdigit() for c in r)), key=lambda r: (-len(r), r))
