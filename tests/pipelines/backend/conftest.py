"""The stand-in's folder, and compiled YAML."""

import tempfile
from pathlib import Path

import pytest

from pipelines.compiling import compile_all
from pipelines.settings import Settings
from tests.pipelines.backend.pod import remove


@pytest.fixture(scope="module")
def open_folder():
    """An empty folder that other users may enter, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="pneumonia-backend-"))
    folder.chmod(0o755)
    yield folder
    remove(folder)


@pytest.fixture(scope="module")
def components(tmp_path_factory) -> Path:
    """Folder of the components' compiled YAML."""
    folder = tmp_path_factory.mktemp("build")
    compile_all(Settings(gpus=0), folder)
    return folder / "components"
