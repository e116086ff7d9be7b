"""Tables of features that another program measured."""

import polars as pl
import pytest

from radiolocus.errors import ConfigError, TableError
from radiolocus.feature.tables import FeatureTable, read_feature_table, table_dictionary, table_rows


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "features.csv"
    pl.DataFrame(
        {
            "id": ["A", "B", "C", "C", "D"],
            "diagnostics_Versions": [3, 3, 3, 3, 3],
            "note": list("vwxyz"),
            "glcm_Contrast": ["1.5", "NA", "3", "3", "9"],
            "volume": [10, 20, 30, 30, 40],
        }
    ).write_csv(path)
    return path


def test_numbers_become_features_and_the_rest_is_told(written):
    options = FeatureTable("CT", "features.csv", "id", modality="CT")
    table, features, problems = read_feature_table(options, written)
    assert features == ["glcm_Contrast", "volume"]
    assert any("1 columns that are not numbers are no features (note)" in p.got for p in problems)
    rows, told = table_rows(options, table, features, {"A": "a", "B": "b", "C": "c"})
    assert not told  # two rows that say the same are one
    assert rows["subject"].to_list() == ["a", "b", "c"]
    assert rows["glcm_Contrast"].to_list() == [1.5, None, 3.0]
    assert rows.select("image", "visit", "roi", "modality").unique().rows() == [("CT", "", "ROI", "CT")]


def test_only_some_columns(written):
    table = read_feature_table(FeatureTable("CT", "f", columns=("glcm_*", "volume"), drop=("vol*",)), written)
    assert table[1] == ["glcm_Contrast"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (FeatureTable("CT", "f", id="Id"), "Id"),
        (FeatureTable("CT", "f", columns=("glrlm_*",)), r"no column 'glrlm_\*'"),
        (FeatureTable("CT", "f", columns=("note",)), "no column of numbers"),
    ],
)
def test_what_is_not_there_is_refused(written, options, said):
    with pytest.raises(TableError, match=said):
        read_feature_table(options, written)


def test_a_feature_must_not_be_called_like_a_column_of_the_table_it_joins(tmp_path):
    pl.DataFrame({"id": ["A", "B"], "visit": [1, 2]}).write_csv(tmp_path / "f.csv")
    with pytest.raises(TableError, match="a feature called 'visit'"):
        read_feature_table(FeatureTable("CT", "f.csv"), tmp_path / "f.csv")


def test_a_name_must_not_hold_what_divides_names():
    with pytest.raises(ConfigError, match="name = 'C:T'"):
        FeatureTable("C:T", "f.csv")


def test_dictionary_knows_the_names():
    words = table_dictionary(["glcm_Contrast"], lambda name: name.split("_")[0])
    assert words.row(0, named=True)["family"] == "glcm"
    assert words.row(0, named=True)["ibsi_id"] == ""


def test_a_column_without_header_is_no_feature_unless_named(tmp_path):
    path = tmp_path / "f.csv"
    path.write_text(",id,a\n" + "".join(f"{i},S{i},{i * i % 7}\n" for i in range(30)))
    _, features, problems = read_feature_table(FeatureTable("CT", "f.csv", "id"), path)
    assert features == ["a"]
    assert "a column without header is no feature (column 1): row numbers, as a rule" in [p.got for p in problems]
    _, features, problems = read_feature_table(FeatureTable("CT", "f.csv", "id", columns=("a", "column 1")), path)
    assert set(features) == {"a", "column 1"}
    _, _, problems = read_feature_table(FeatureTable("CT", "f.csv", "id", drop=("column 1",)), path)
    assert not [p for p in problems if p.got.startswith("a column without header is no feature")]
