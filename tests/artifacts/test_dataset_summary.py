import pytest

from components.artifacts import dataset_summary, files
from components.artifacts.dataset_summary import DatasetSummary
from components.console import UserError


def test_a_summary_is_the_datasets_description_and_a_picture(tmp_path):
    content = {"schema_version": 1, "kind": "prepared dataset", "image_size": 96}
    files.write_json(tmp_path / "dataset.json", content)
    (tmp_path / "summary").mkdir()
    dataset_summary.save(tmp_path / "summary", tmp_path / "dataset.json", b"PNG")
    found = DatasetSummary.load(str(tmp_path / "summary"))
    assert found.info == content
    assert found.examples.read_bytes() == b"PNG"


def test_another_artifact_is_no_summary(tmp_path):
    files.write_json(tmp_path / "dataset.json", {"schema_version": 1, "kind": "raw dataset"})
    with pytest.raises(UserError, match="describes a 'raw dataset', not a 'prepared dataset': check which artifact"):
        DatasetSummary.load(tmp_path)
