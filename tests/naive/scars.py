"""The slow, obvious twin of `radiolocus.molecular.scars`: every chromosome as a list of dictionaries."""


def joined(rows):
    out = []
    for r in rows:
        if out and (out[-1]["A"], out[-1]["B"]) == (r["A"], r["B"]):
            out[-1]["end"] = max(out[-1]["end"], r["end"])
        else:
            out.append(dict(r))
    return out


def loh(rows):
    if all(r["B"] == 0 for r in rows):
        return 0
    rows = joined([r | {"A": 1 if r["A"] > 1 else r["A"]} for r in rows])
    return len([r for r in rows if r["B"] == 0 and r["A"] != 0 and r["end"] - r["start"] > 15e6])


def tai(rows, centre_start, centre_end):
    rows = joined([r for r in rows if r["end"] - r["start"] >= 1e6])
    if len(rows) < 2:
        return 0
    totals = {}
    for r in rows:
        totals[r["A"] + r["B"]] = totals.get(r["A"] + r["B"], 0) + r["end"] - r["start"]
    totals.pop(0, None)
    main = sorted(totals.items(), key=lambda item: (-item[1], item[0]))[0][0] if totals else 0

    def balanced(r):
        if main in (0, 1) or main % 2 == 0:
            return r["A"] == r["B"]
        return r["A"] + r["B"] == main and r["B"] != 0

    return int(not balanced(rows[0]) and rows[0]["end"] < centre_start) + int(
        not balanced(rows[-1]) and rows[-1]["start"] > centre_end
    )


def lst(rows, centre_start, centre_end):
    count = 0
    short = [dict(r) for r in rows if r["start"] <= centre_start]
    long = [dict(r) for r in rows if r["end"] >= centre_end]
    if short:
        short[-1]["end"] = centre_start
    if long:
        long[0]["start"] = centre_end
    for arm in (short, long):
        arm = joined(arm)
        while True:
            small = [i for i, r in enumerate(arm) if r["end"] - r["start"] < 3e6]
            if not small:
                break
            del arm[small[0]]
            arm = joined(arm)
        for i in range(1, len(arm)):
            sizes = [arm[k]["end"] - arm[k]["start"] for k in (i - 1, i)]
            count += min(sizes) >= 10e6 and arm[i]["start"] - arm[i - 1]["end"] < 3e6
    return count
