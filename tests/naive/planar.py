"""Diameters within a slice, the slow way: every boundary vertex of every slice against every other."""

import numpy as np


def outline(plane):
    """Vertices half way between the centres of pixels inside and outside."""
    padded = np.pad(plane, 1)
    points = set()
    for y, x in np.argwhere(padded):
        for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            if not padded[y + dy, x + dx]:
                points.add((y + dy / 2, x + dx / 2))
    return np.array(sorted(points))


def chord(points, a, b):
    """Longest chord across the line a to b of the hull of `points`, at very many places along it."""
    u = (b - a) / np.linalg.norm(b - a)
    v = np.array([-u[1], u[0]])
    along, across = (points - a) @ u, (points - a) @ v
    best = 0.0
    for t in along:
        left, right = along <= t + 1e-12, along >= t - 1e-12
        seen = []
        for i in np.flatnonzero(left):
            for j in np.flatnonzero(right):
                if abs(along[j] - along[i]) < 1e-12:
                    seen += [across[i], across[j]]
                else:
                    seen.append(across[i] + (t - along[i]) / (along[j] - along[i]) * (across[j] - across[i]))
        best = max(best, max(seen) - min(seen))
    return best


def diameters(mask, spacing):
    """Longest diameter of any slice and the longest chord perpendicular to one that is so long."""
    found = []
    for plane in mask:
        if not plane.any():
            continue
        points = outline(plane) * np.asarray(spacing[1:])
        gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
        found.append((gaps.max(), points, gaps))
    longest = max(f[0] for f in found)
    chords = [
        chord(points, points[i], points[j])
        for most, points, gaps in found
        if most >= longest - 1e-9
        for i, j in np.argwhere(np.triu(gaps >= longest - 1e-9))
    ]
    return longest, max(chords)
