"""RECIST 1.1 over visits that are sorted by subject and day: one sweep for the calls, one for the best of them.

Responses travel as numbers; :data:`LABELS` says them. ``first`` holds the row of each subject's baseline and, last, the
number of rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from radiolocus.kernels.jit import kernel
from radiolocus.model import Array, BoolArray

__all__ = [
    "CR",
    "LABELS",
    "NE",
    "NON",
    "NONE",
    "PD",
    "PD_LEAST_MM",
    "PD_SHARE",
    "PR",
    "PR_SHARE",
    "SD",
    "best",
    "first_response",
    "overall",
    "time_points",
]

NONE, CR, PR, SD, NON, PD, NE = 0, 1, 2, 3, 4, 5, 6
LABELS = ("none", "CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE")

Codes = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]

PR_SHARE, PD_SHARE, PD_LEAST_MM = 0.7, 1.2, 5.0
"""PR at this share of the baseline sum; PD at this share of the nadir and that many mm above it (section 4.3.1)."""

_TOLERANCE = 1e-9


@kernel
def overall(target: int, nontarget: int, new: bool) -> int:
    """Overall response at a time point (Eisenhauer 2009, tables 1 and 2)."""
    if new or target == PD or nontarget == PD:
        return PD
    if target == NONE:
        # Neither target nor non-target disease at baseline: nothing that could respond.
        return NE if nontarget == NONE else nontarget
    if target == CR:
        return CR if nontarget in (CR, NONE) else PR
    return target


@kernel
def _target(complete: bool, gone: bool, total: float, base: float, nadir: float) -> int:
    """Target response; `total` is the sum of what was measured. Order: PD of a part, NE, CR, PD, PR, SD."""
    grown = total >= PD_SHARE * nadir - _TOLERANCE and total - nadir >= PD_LEAST_MM - _TOLERANCE
    if not complete:
        return PD if grown else NE
    if gone:
        return CR
    if grown:
        return PD
    return PR if total <= PR_SHARE * base + _TOLERANCE else SD


@kernel
def _response_since(since: float, target: int, response: int, day: float) -> float:
    """Return the day of the first target response of the present run, NaN outside one.

    A run goes on over visits that could not be evaluated; SD and PD break it.
    """
    if response == PD or target == SD:
        return np.nan
    if target in (CR, PR) and np.isnan(since):
        return day
    return since


@kernel
def time_points(
    first: Ints,
    day: Array,
    targets: Ints,
    measured: Ints,
    total: Array,
    gone: BoolArray,
    seen_other: BoolArray,
    nontarget: Codes,
    new: BoolArray,
    reappearance: bool,
    persistent: bool,
    confirmation_days: float,
    nadir: Array,
    target: Codes,
    response: Codes,
    returned: BoolArray,
    held: BoolArray,
) -> None:
    """Call every visit.

    Parameters
    ----------
    first : ndarray, shape (subjects + 1,)
    day : ndarray, shape (n,)
    targets, measured : ndarray, shape (n,)
        Target lesions followed, and those with a size at the visit.
    total : ndarray, shape (n,)
        Sum of the measured diameters, mm.
    gone : ndarray, shape (n,)
        All measured non-nodal targets are 0 and all measured nodal ones below 10 mm.
    seen_other : ndarray, shape (n,)
        A non-nodal non-target is present.
    nontarget : ndarray, shape (n,)
    new : ndarray, shape (n,)
        Unequivocal new lesion at the visit or before.
    reappearance : bool
        Disease seen again after an overall CR is PD.
    persistent : bool
        A PR lasts until PD, however the sum drifts.
    confirmation_days : float
        A response must have been seen over this many days before it persists; 0 when no confirmation is demanded.
    nadir, target, response, returned, held : ndarray, shape (n,)
        Filled: smallest earlier complete sum, calls, "reappearance decided", "persistence decided".
    """
    for s in range(first.size - 1):
        base = lowest = total[first[s]]
        complete_response = responded = False
        since = np.nan
        for v in range(first[s] + 1, first[s + 1]):
            nadir[v] = lowest
            complete = measured[v] == targets[v]
            call = NONE
            if targets[v] > 0:
                call = _target(complete, gone[v], total[v], base, lowest)
                if reappearance and complete_response and not gone[v] and call != PD:
                    call = PD
                    returned[v] = True
                if complete:
                    lowest = min(lowest, total[v])
            if call == SD and persistent and responded:
                call = PR
                held[v] = True
            target[v] = call
            response[v] = overall(call, nontarget[v], new[v])
            if reappearance and complete_response and seen_other[v] and response[v] != PD:
                response[v] = PD
                returned[v] = True
            complete_response = complete_response or response[v] == CR
            since = _response_since(since, call, response[v], day[v])
            lasts = day[v] - since >= confirmation_days - _TOLERANCE
            responded = response[v] != PD and (responded or lasts)


@kernel
def _is_confirmed(
    response: Codes, day: Array, start: int, stop: int, complete: bool, days: float, most_ne: int, most_sd: int
) -> bool:
    """Whether the response at `start` is seen again at least `days` later with nothing against it between."""
    skipped_ne = skipped_sd = 0
    for v in range(start + 1, stop):
        now = response[v]
        if now == CR or (now == PR and not complete):
            if day[v] - day[start] >= days - _TOLERANCE:
                return True
        elif now == NE:
            skipped_ne += 1
        elif now == SD and not complete:
            skipped_sd += 1
        else:
            return False
        # What follows a CR must be CR: less than that says that the CR was none, or that the disease came back.
        complete = complete or now == CR
        if skipped_ne > most_ne or skipped_sd > most_sd:
            return False
    return False


@kernel
def first_response(
    response: Codes, day: Array, start: int, stop: int, confirmation: bool, days: float, most_ne: int, most_sd: int
) -> int:
    """Row of the first CR or PR before PD, of those seen again where confirmation is demanded; −1 for none."""
    for v in range(start, stop):
        if response[v] == PD:
            return -1
        if response[v] in (CR, PR) and (
            not confirmation or _is_confirmed(response, day, v, stop, response[v] == CR, days, most_ne, most_sd)
        ):
            return v
    return -1


@kernel
def _controlled(
    response: Codes, day: Array, start: int, stop: int, minimum: float, any_target: bool
) -> tuple[int, int]:
    """SD (NON-CR/NON-PD without targets) when disease was controlled at the minimum time, and the row that shows it."""
    for v in range(start, stop):
        if response[v] in (CR, PR, SD) and day[v] >= minimum - _TOLERANCE:
            return (SD if any_target else NON), v
    for v in range(start, stop):
        if response[v] == NON and day[v] >= minimum - _TOLERANCE:
            return NON, v
    return NE, -1


@kernel
def _best_of(
    response: Codes,
    day: Array,
    start: int,
    stop: int,
    progression: int,
    any_target: bool,
    confirmation: bool,
    confirmation_days: float,
    sd_minimum: float,
    most_ne: int,
    most_sd: int,
) -> tuple[int, int]:
    for wanted in (CR, PR):
        for v in range(start, stop):
            if response[v] == wanted and (
                not confirmation
                or _is_confirmed(response, day, v, stop, wanted == CR, confirmation_days, most_ne, most_sd)
            ):
                return wanted, v
    call, row = _controlled(response, day, start, stop, sd_minimum, any_target)
    if call == NE and progression >= 0:
        return PD, progression
    return call, row


@kernel
def best(
    first: Ints,
    day: Array,
    response: Codes,
    targets: Ints,
    confirmation: bool,
    confirmation_days: float,
    sd_minimum: float,
    most_ne: int,
    most_sd: int,
    result: Codes,
    decided: Ints,
    progression: Ints,
) -> None:
    """Best overall response of every subject, from the visits up to the first PD (Eisenhauer 2009, table 3).

    Parameters
    ----------
    first, day, response, targets
        As in :func:`time_points`.
    confirmation : bool
    confirmation_days, sd_minimum : float
    most_ne, most_sd : int
        Visits with NE, with SD, allowed between a response and its confirmation.
    result, decided, progression : ndarray, shape (subjects,)
        Filled: best response, the row it was first seen in (−1: none), the row of the first PD (−1: none).
    """
    for s in range(first.size - 1):
        start, stop = first[s] + 1, first[s + 1]
        progression[s] = -1
        for v in range(start, stop):
            if response[v] == PD:
                progression[s] = v
                stop = v
                break
        result[s], decided[s] = _best_of(
            response,
            day,
            start,
            stop,
            progression[s],
            targets[first[s]] > 0,
            confirmation,
            confirmation_days,
            sd_minimum,
            most_ne,
            most_sd,
        )
