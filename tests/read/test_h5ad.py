import numpy as np
import pytest
from scipy import sparse

from radiolocus.errors import ConfigError, FormatError, TableError
from radiolocus.read import h5ad as module
from radiolocus.read.h5ad import read_h5ad

h5py = pytest.importorskip("h5py", reason='h5py is not installed: pip install "radiolocus[h5ad]"')
VALUES = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]])


def write(path, matrix=VALUES, kind=None, index="_index"):
    """A file as anndata 0.12 writes it."""
    with h5py.File(path, "w") as file:
        obs, var = file.create_group("obs"), file.create_group("var")
        for group, names in ((obs, ["s1", "s2"]), (var, ["E1", "E2", "E3"])):
            group.attrs["_index"] = index
            group[index] = np.array(names, dtype=object)
        symbols = var.create_group("symbol")
        symbols["categories"] = np.array(["MYC", "TP53"], dtype=object)
        symbols["codes"] = np.array([1, 0, 1], dtype=np.int8)
        patients = obs.create_group("patient")
        patients["values"], patients["mask"] = np.array(["P1", "P2"], dtype=object), np.zeros(2, bool)
        if kind is None:
            file["X"] = matrix
        else:
            part = file.create_group("X")
            part.attrs["encoding-type"], part.attrs["shape"] = f"{kind}_matrix", np.array(matrix.shape)
            packed = {"csr": sparse.csr_array, "csc": sparse.csc_array}[kind](matrix)
            part["data"], part["indices"], part["indptr"] = packed.data, packed.indices, packed.indptr
        file.create_group("layers")["counts"] = 10 * matrix
    return path


@pytest.mark.parametrize("kind", [None, "csr", "csc"])
def test_dense_and_sparse_matrices(tmp_path, kind):
    found = read_h5ad(write(tmp_path / "a.h5ad", kind=kind))
    assert (found.genes, found.samples) == (("E1", "E2", "E3"), ("s1", "s2"))
    np.testing.assert_array_equal(found.values, VALUES.T)
    assert found.values.flags.c_contiguous


def test_layer_and_names_from_columns(tmp_path):
    path = write(tmp_path / "a.h5ad", index="barcode")
    found = read_h5ad(path, layer="counts", sample_column="patient", gene_column="symbol")
    assert (found.genes, found.samples) == (("TP53", "MYC", "TP53"), ("P1", "P2"))
    np.testing.assert_array_equal(found.values, 10 * VALUES.T)


def test_what_is_not_there_or_no_matrix(tmp_path):
    path = write(tmp_path / "a.h5ad")
    with pytest.raises(TableError) as caught:
        read_h5ad(path, layer="count")
    assert "'counts'" in caught.value.todo
    with pytest.raises(TableError, match="no column 'symbols'"):
        read_h5ad(path, gene_column="symbols")
    with h5py.File(path, "a") as file:
        file["var/symbol/codes"][0] = -1
        del file["X"]
        file["X"] = np.full((2, 2), np.inf)
    with pytest.raises(TableError, match="a name that is missing"):
        read_h5ad(path, gene_column="symbol")
    with pytest.raises(FormatError, match="2 × 2"):
        read_h5ad(path)
    with pytest.raises(TableError, match="infinite"):
        read_h5ad(write(tmp_path / "b.h5ad", np.full((2, 3), np.inf)))
    assert read_h5ad(write(tmp_path / "c.h5ad", np.full((2, 3), np.nan))).notes[0].count == 6
    (tmp_path / "d.h5ad").write_text("no")
    with pytest.raises(FormatError, match="HDF5"):
        read_h5ad(tmp_path / "d.h5ad")
    with h5py.File(tmp_path / "e.h5ad", "w") as file:
        file["X"] = VALUES
    with pytest.raises(FormatError, match="no 'obs'"):
        read_h5ad(tmp_path / "e.h5ad")
    with h5py.File(path, "a") as file:
        del file["X"]
        file.create_group("X").attrs["encoding-type"] = "awkward"
    with pytest.raises(FormatError, match="awkward"):
        read_h5ad(path)


def test_without_h5py(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(module, "import_module", missing)
    with pytest.raises(ConfigError, match=r"radiolocus\[h5ad\]"):
        read_h5ad(tmp_path / "a.h5ad")
