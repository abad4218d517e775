import pandas as pd
import pytest

from components.artifacts import dataset_summary, files, image_table
from components.artifacts.dataset_summary import DatasetSummary
from components.console import UserError

IMAGES = pd.DataFrame(
    {
        "image": ["b.png", "007", 'a "b", c.png'],
        "split": ["test", "train", "test"],
        "patient": ["p2", "007", ""],
        "label": [1, 0, 0],
        "brightness": [0.5, 1 / 3, 0.25],
        "contrast": [0.1, 0.2, 0.3],
        "sharpness": [0.4, 0.5, 0.6],
        "sex": ["female", "male", ""],
    }
)


def test_a_summary_is_the_datasets_description_a_table_and_a_picture(tmp_path):
    content = {"schema_version": 1, "kind": "prepared dataset", "image_size": 96}
    files.write_json(tmp_path / "dataset.json", content)
    (tmp_path / "summary").mkdir()
    dataset_summary.save(tmp_path / "summary", tmp_path / "dataset.json", IMAGES, b"PNG")
    found = DatasetSummary.load(str(tmp_path / "summary"))
    assert found.info == content
    assert found.examples.read_bytes() == b"PNG"


def test_another_artifact_is_no_summary(tmp_path):
    files.write_json(tmp_path / "dataset.json", {"schema_version": 1, "kind": "raw dataset"})
    with pytest.raises(UserError, match="describes a 'raw dataset', not a 'prepared dataset': check which artifact"):
        DatasetSummary.load(tmp_path)


def test_the_table_of_images_keeps_names_and_has_an_order_of_its_own(tmp_path):
    image_table.save(tmp_path, IMAGES)
    found = image_table.load(tmp_path)
    assert list(found.columns) == list(image_table.COLUMNS)
    assert found["image"].tolist() == ['a "b", c.png', "b.png", "007"]
    assert found["patient"].tolist() == ["", "p2", "007"]
    assert found["label"].tolist() == [0, 1, 0]
    assert found["brightness"].tolist() == pytest.approx([0.25, 0.5, 1 / 3], rel=1e-5)


def test_a_folder_without_a_table_has_none_and_a_damaged_one_is_named(tmp_path):
    assert image_table.load(tmp_path) is None
    (tmp_path / "images.csv").write_text("image,split\n")
    with pytest.raises(UserError, match=r"images.csv lacks the columns patient, label, brightness"):
        image_table.load(tmp_path)


def test_the_table_is_copied_where_there_is_one(tmp_path):
    summary, comparison = tmp_path / "summary", tmp_path / "comparison"
    for folder in (summary, comparison):
        folder.mkdir()
    image_table.copy(summary, comparison)
    assert list(comparison.iterdir()) == []
    image_table.save(summary, IMAGES)
    image_table.copy(summary, comparison)
    assert (comparison / "images.csv").read_bytes() == (summary / "images.csv").read_bytes()
