"""Changes from baseline, one series at a time."""

import math

import numpy as np


def changes(series):
    """`series`: (day, value) pairs with a baseline at day 0; yields what the table holds for every later visit."""
    series = sorted(series)
    days, values = [d for d, _ in series], [v for _, v in series]
    start = values[days.index(0)]
    for k in range(1, len(series)):
        so_far, seen = np.array(days[: k + 1], float), np.array(values[: k + 1], float)
        now = values[k]
        yield {
            "day": days[k],
            "absolute": now - start,
            "relative": 100 * (now - start) / abs(start) if start != 0 else None,
            "log_ratio": math.log(now / start) if start > 0 and now > 0 else None,
            "slope": np.polyfit(so_far, seen, 1)[0],
            "area": np.trapezoid(seen - start, so_far),
        }
