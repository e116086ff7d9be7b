"""Slow, obvious twins of the scores of gene sets, one sample and one place of the ranking at a time."""

import math


def _ranking(values):
    return sorted(range(len(values)), key=lambda g: -values[g])


def ssgsea(values, members, weight=0.25):
    """Sum over all places of the share of the set found so far, weighted by rank, less that of the other genes."""
    genes = len(values)
    order = _ranking(values)
    inside, outside, score = 0.0, 0.0, 0.0
    total = sum((genes - place) ** weight for place, g in enumerate(order) if g in members)
    for place, g in enumerate(order):
        if g in members:
            inside += (genes - place) ** weight / total
        else:
            outside += 1.0 / (genes - len(members))
        score += inside - outside
    return score


def singscore(values, members):
    genes, size = len(values), len(members)
    rank = {g: genes - place for place, g in enumerate(_ranking(values))}
    mean = sum(rank[g] for g in members) / size
    lowest = sum(range(1, size + 1)) / size
    highest = sum(range(genes - size + 1, genes + 1)) / size
    return (mean - lowest) / (highest - lowest) - 0.5


def gsva(table, members):
    """Scores of all samples; `table` is a list of rows, a gene each."""
    samples = range(len(table[0]))
    smooth = []
    for row in table:
        mean = sum(row) / len(row)
        width = math.sqrt(sum((v - mean) ** 2 for v in row) / (len(row) - 1)) / 4
        smooth.append(
            [sum(0.5 * math.erfc(-(row[j] - v) / width / math.sqrt(2)) for v in row) / len(row) for j in samples]
        )
    genes = len(table)
    scores = []
    for j in samples:
        order = _ranking([row[j] for row in smooth])
        weight = {g: abs(genes - place - genes / 2) for place, g in enumerate(order)}
        total = sum(weight[g] for g in members)
        running, path = 0.0, [0.0]
        for g in order:
            running += weight[g] / total if g in members else -1 / (genes - len(members))
            path.append(running)
        scores.append(max(path) + min(path))
    return scores
