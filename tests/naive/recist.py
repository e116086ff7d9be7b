"""RECIST 1.1 one subject at a time, rule by rule, with lists and loops only."""

from __future__ import annotations


def size_of(row):
    if row["status"] in ("absent", "merged"):
        return 0.0
    if row["status"] == "too small" and row["diameter_mm"] is None:
        return 5.0
    return row["diameter_mm"]


def target_response(rows, targets, base, sums):
    sizes = {r["lesion"]: size_of(r) for r in rows if r["kind"] == "target"}
    measured = {k: v for k, v in sizes.items() if v is not None}
    total, nadir = sum(measured.values()), min(sums)
    progressed = total - 1.2 * nadir >= -1e-9 and total - nadir - 5 >= -1e-9
    if set(measured) != set(targets):
        return ("PD" if progressed else "NE"), None
    if all(v < 10 if targets[k] else v == 0 for k, v in measured.items()):
        return "CR", total
    if progressed:
        return "PD", total
    return ("PR" if total - 0.7 * base <= 1e-9 else "SD"), total


def nontarget_response(rows, listed):
    states = {r["lesion"]: r["status"] for r in rows if r["kind"] == "non-target"}
    if not listed:
        return "none"
    if "progression" in states.values():
        return "PD"
    if any(states.get(name, "NE") == "NE" for name in listed):
        return "NE"
    return "NON-CR/NON-PD" if "present" in states.values() else "CR"


def overall(target, nontarget, new):
    if "PD" in (target, nontarget) or new:
        return "PD"
    if target == "none":
        return "NE" if nontarget == "none" else nontarget
    if target == "CR" and nontarget not in ("CR", "none"):
        return "PR"
    return target


def placed(lesions):
    """Nodal targets below 15 mm at baseline as non-targets, below 10 mm left out; a row that says nothing stays."""
    small = {
        r["lesion"]: r["diameter_mm"]
        for r in lesions
        if r["day"] == 0 and r["kind"] == "target" and r["node"] and r["diameter_mm"] < 15
    }
    out = []
    for r in lesions:
        if r["lesion"] not in small:
            out.append(r)
        elif small[r["lesion"]] < 10:
            out.append({**r, "kind": "new", "status": "absent", "diameter_mm": None})
        else:
            size = size_of(r)
            size = 5.0 if r["status"] == "too small" else size
            state = "NE" if size is None else "present" if size >= 10 else "absent"
            out.append({**r, "kind": "non-target", "status": state})
    return out


def subject_calls(lesions, persistent=False, reappearance=True):
    """Return [(day, target, non-target, new, overall)] after the baseline of one subject's rows."""
    lesions = placed(lesions)
    base_rows = [r for r in lesions if r["day"] == 0]
    targets = {r["lesion"]: r["node"] for r in base_rows if r["kind"] == "target"}
    listed = [r["lesion"] for r in base_rows if r["kind"] == "non-target"]
    base = sum(r["diameter_mm"] for r in base_rows if r["kind"] == "target")
    sums, calls, new, had_cr, responded = [base], [], False, False, False
    for day in sorted({r["day"] for r in lesions if r["day"] > 0}):
        rows = [r for r in lesions if r["day"] == day]
        new = new or any(r["kind"] == "new" and r["status"] == "present" for r in rows)
        target, total = "none", None
        if targets:
            target, total = target_response(rows, targets, base, sums)
        sizes = [(r["node"], size_of(r) or 0) for r in rows if r["kind"] == "target"]
        seen = [size for node, size in sizes if (size >= 10 if node else size > 0)]
        if reappearance and had_cr and seen and targets:
            target = "PD"
        if total is not None:
            sums.append(total)
        if persistent and responded and target == "SD":
            target = "PR"
        nontarget = nontarget_response(rows, listed)
        call = overall(target, nontarget, new)
        back = [r for r in rows if r["kind"] == "non-target" and not r["node"] and r["status"] == "present"]
        if reappearance and had_cr and back:
            call = "PD"
        had_cr = had_cr or call == "CR"
        responded = (responded or target in ("CR", "PR")) and call != "PD"
        calls.append((day, target, nontarget, new, call))
    return calls


def best_of(calls, confirmation=False, days=28, minimum=42, most_ne=1, any_target=True):
    """Best overall response of [(day, overall)] in order."""
    until = []
    for day, call in calls:
        until.append((day, call))
        if call == "PD":
            break
    for wanted, good in (("CR", ("CR",)), ("PR", ("CR", "PR"))):
        for i, (day, call) in enumerate(until):
            if call != wanted:
                continue
            if not confirmation:
                return wanted
            for later, (day2, call2) in enumerate(until[i + 1 :], start=i + 1):
                between = [c for _, c in until[i + 1 : later]]
                clean = all(c in (*good, "NE") for c in between) and between.count("NE") <= most_ne
                clean = clean and not ("CR" in between and "PR" in [*between, call2][between.index("CR") :])
                if call2 in good and day2 - day >= days and clean:
                    return wanted
    if any(c in ("CR", "PR", "SD") and d >= minimum for d, c in until):
        return "SD" if any_target else "NON-CR/NON-PD"
    if any(c == "NON-CR/NON-PD" and d >= minimum for d, c in until):
        return "NON-CR/NON-PD"
    return "PD" if until and until[-1][1] == "PD" else "NE"
