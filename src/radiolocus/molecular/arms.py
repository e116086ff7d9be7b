"""Chromosome arms: where the centromeres lie and how long the chromosomes are.

UCSC Genome Browser, tables ``cytoBand`` (bands stained ``acen``) and ``chromInfo`` of hg19 and hg38. Autosomes alone:
the sex chromosomes have one copy in half of the subjects, for whom no imbalance could be told.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["ARMS", "AUTOSOMES", "Build"]

Build = Literal["hg19", "hg38"]
# Chromosome to start and end of its centromere, in units of 100 kb, and its length in bp.
# fmt: off
_PLACES = {
    "hg19": {
        "1": (1215, 1289, 249_250_621),
        "2": (905, 968, 243_199_373),
        "3": (879, 939, 198_022_430),
        "4": (482, 527, 191_154_276),
        "5": (461, 507, 180_915_260),
        "6": (587, 633, 171_115_067),
        "7": (580, 617, 159_138_663),
        "8": (431, 481, 146_364_022),
        "9": (473, 507, 141_213_431),
        "10": (380, 423, 135_534_747),
        "11": (516, 557, 135_006_516),
        "12": (333, 382, 133_851_895),
        "13": (163, 195, 115_169_878),
        "14": (161, 191, 107_349_540),
        "15": (158, 207, 102_531_392),
        "16": (346, 386, 90_354_753),
        "17": (222, 258, 81_195_210),
        "18": (154, 190, 78_077_248),
        "19": (244, 286, 59_128_983),
        "20": (256, 294, 63_025_520),
        "21": (109, 143, 48_129_895),
        "22": (122, 179, 51_304_566),
    },
    "hg38": {
        "1": (1217, 1251, 248_956_422),
        "2": (918, 960, 242_193_529),
        "3": (878, 940, 198_295_559),
        "4": (482, 518, 190_214_555),
        "5": (461, 514, 181_538_259),
        "6": (585, 626, 170_805_979),
        "7": (581, 621, 159_345_973),
        "8": (432, 472, 145_138_636),
        "9": (422, 455, 138_394_717),
        "10": (380, 416, 133_797_422),
        "11": (510, 558, 135_086_622),
        "12": (332, 378, 133_275_309),
        "13": (165, 189, 114_364_328),
        "14": (161, 182, 107_043_718),
        "15": (175, 205, 101_991_189),
        "16": (353, 384, 90_338_345),
        "17": (227, 274, 83_257_441),
        "18": (154, 215, 80_373_285),
        "19": (242, 281, 58_617_616),
        "20": (257, 304, 64_444_167),
        "21": (109, 130, 46_709_983),
        "22": (137, 174, 50_818_468),
    },
}
# fmt: on
AUTOSOMES = tuple(str(number) for number in range(1, 23))
ARMS: dict[str, dict[str, tuple[int, int, int]]] = {
    build: {name: (100_000 * start, 100_000 * end, length) for name, (start, end, length) in places.items()}
    for build, places in _PLACES.items()
}
"""Build and chromosome to start and end of its centromere and its length, in bp."""
