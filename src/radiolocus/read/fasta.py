"""A reference genome in FASTA: any stretch of it, without reading the whole into memory.

Index: https://www.htslib.org/doc/faidx.html; a ``.fai`` beside the
file is used, and without it the index is made in memory.
"""

from __future__ import annotations

from pathlib import Path

from radiolocus.errors import FormatError

__all__ = ["Fasta"]


class Fasta:
    """A FASTA file with lines of equal length in each sequence.

    Parameters
    ----------
    path : Path
        Not compressed.

    Raises
    ------
    FormatError
        The file is compressed, is no FASTA, or has lines of different lengths.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                head = file.read(2)
        except OSError as error:
            raise FormatError(f"a file that cannot be read ({error.strerror})", where=path.name) from None
        if head == b"\x1f\x8b":
            raise FormatError(
                "a compressed FASTA", where=path.name, allowed="plain FASTA", todo="gunzip it; places are looked up"
            )
        index = path.with_name(path.name + ".fai")
        # Sequence to its length, the offset of its first base, bases a line and bytes a line.
        self.sequences = self._read_index(index) if index.is_file() else self._scan()
        self._bare = {name.removeprefix("chr"): name for name in self.sequences}

    def _read_index(self, index: Path) -> dict[str, tuple[int, int, int, int]]:
        found = {}
        for number, line in enumerate(index.read_text(encoding="utf-8").splitlines(), 1):
            name, *rest = line.split("\t")
            if len(rest) < 4 or not all(cell.isdigit() for cell in rest[:4]):
                raise FormatError(f"'{line[:40]}'", where=f"{index.name}, line {number}", todo="samtools faidx")
            found[name] = (int(rest[0]), int(rest[1]), int(rest[2]), int(rest[3]))
        return found

    def _scan(self) -> dict[str, tuple[int, int, int, int]]:
        found: dict[str, tuple[int, int, int, int]] = {}
        name, ended = "", False
        with self.path.open("rb") as file:
            for raw in iter(file.readline, b""):
                line = raw.rstrip(b"\r\n")
                if raw.startswith(b">"):
                    name, ended = raw[1:].split()[0].decode() if raw[1:].split() else "", False
                    found[name] = (0, file.tell(), 0, 0)
                    continue
                if not name:
                    raise FormatError("no line that begins with '>'", where=self.path.name, allowed="a FASTA file")
                size, offset, bases, width = found[name]
                if ended and line:
                    raise FormatError(
                        f"lines of different lengths in '{name}'",
                        where=self.path.name,
                        todo="samtools faidx says where",
                    )
                found[name] = (size + len(line), offset, bases or len(line), width or len(raw))
                ended = len(line) != found[name][2]
        if not found:
            raise FormatError("no sequence", where=self.path.name, allowed="a FASTA file")
        return found

    def fetch(self, chromosome: str, start: int, end: int) -> str:
        """Return the bases from `start` to `end` (1-based, both included) in capitals.

        What lies beyond the sequence is left away; an unknown chromosome gives an empty text. ``chr`` before the name
        does not matter, and MT is M.
        """
        bare = chromosome.removeprefix("chr")
        name = self._bare.get(bare) or self._bare.get({"MT": "M", "M": "MT"}.get(bare, ""))
        if name is None:
            return ""
        size, offset, bases, width = self.sequences[name]
        start, end = max(start, 1), min(end, size)
        if end < start:
            return ""
        first, last = start - 1, end - 1
        begin = offset + first // bases * width + first % bases
        stop = offset + last // bases * width + last % bases + 1
        with self.path.open("rb") as file:
            file.seek(begin)
            raw = file.read(stop - begin)
        return raw.replace(b"\n", b"").replace(b"\r", b"").decode("ascii", "replace").upper()
