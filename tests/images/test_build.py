"""What goes into the images, what they are called, and which commands build them."""

import ast
import re
import shutil
import sys
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest

from components import __version__
from components.console import UserError
from images import build

PROJECT = Path(__file__).parents[2]
IMAGES = {image.dockerfile + image.variant: image for gpu in (False, True) for image in build.images(gpu)}


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The project's files that images are made of, where they may be changed."""
    for name in ("components", "images"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(build, "PROJECT", tmp_path)
    monkeypatch.setattr(build, "WEIGHTS", tmp_path / "images" / "weights")
    return tmp_path


@pytest.fixture
def docker(tmp_path):
    """A program that writes down how it was called; it fails for references with "bad" in them."""
    program, calls = tmp_path / "docker", tmp_path / "calls"
    program.write_text(
        f"""#!/bin/sh
printf '%s\\n' "$*" >> {calls}
case "$*" in *bad*) exit 1;; esac
if [ "$1" = inspect ]; then echo other/name@sha256:00; echo "${{4%:*}}@sha256:abc"; fi
"""
    )
    program.chmod(0o755)
    return program, lambda: calls.read_text().splitlines() if calls.exists() else []


def tags():
    return {key: image.default_tag for key, image in IMAGES.items()}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_the_tag_is_made_of_just_what_the_dockerfile_copies(image):
    text = (PROJECT / image.dockerfile).read_text().replace("${VARIANT}", image.variant).replace("\\\n", " ")
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)]
    assert sorted(name for names in copied for name in names) == sorted(image.content)


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_docker_is_given_what_is_copied(image):
    allowed = [line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in image.content:
        path = f"{name}/x" if (PROJECT / name).is_dir() else name
        assert any(fnmatch(path, pattern) for pattern in allowed), path


def test_each_image_has_only_the_packages_of_its_steps():
    data, train = build.images(gpu=False)
    assert "components/ingest" in data.content
    assert "components/train" not in data.content
    assert "components/evaluate" in train.content
    for step in ("compare", "check", "record", "tracking"):
        assert f"components/{step}" in data.content
        assert f"components/{step}" not in train.content


def test_a_tag_is_the_version_the_variant_and_a_hash():
    for key, tag in tags().items():
        variant = {"cpu": "cpu-", "gpu": "gpu-"}.get(key[-3:], "")
        assert re.fullmatch(rf"{re.escape(__version__)}-{variant}[0-9a-f]{{12}}", tag)


@pytest.mark.parametrize(
    ("changed", "data", "cpu", "gpu"),
    [
        ("components/ingest/ingest.py", True, False, False),
        ("components/train/recipe.py", False, True, True),
        ("components/artifacts/files.py", True, True, True),
        ("components/parameters.py", True, True, True),
        ("components/imaging/formats.py", True, False, False),
        ("components/inference/scoring.py", False, True, True),
        ("images/train-gpu.lock", False, False, True),
        ("images/data.Dockerfile", True, False, False),
        ("images/weights/new.h5", False, True, True),
        ("components/compare/templates/report.html.j2", True, False, False),
        ("components/ingest/README.md", False, False, False),
        ("components/__pycache__/x.pyc", False, False, False),
    ],
)
def test_changed_content_is_a_changed_tag_of_the_images_that_have_it(copy, changed, data, cpu, gpu):
    before = tags()
    path = copy / changed
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
    after = tags()
    assert {key: after[key] != before[key] for key in before} == {
        "images/data.Dockerfile": data,
        "images/train.Dockerfilecpu": cpu,
        "images/train.Dockerfilegpu": gpu,
    }


def test_a_file_under_another_name_is_another_tag(copy):
    before = tags()
    (copy / "components/compare/report/notes.py").rename(copy / "components/compare/report/remarks.py")
    assert tags()["images/data.Dockerfile"] != before["images/data.Dockerfile"]


def pinned(path):
    """{package: versions} of a lock file or of requirements.txt."""
    found = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;\\]+)", path.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def wanted(path):
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            yield from wanted(path.parent / line[3:])
        elif line and not line.startswith("#"):
            yield re.match(r"[\w.-]+", line)[0]


@pytest.mark.parametrize("name", ["data", "train-cpu", "train-gpu"])
def test_locks_have_every_package_in_the_tested_version_and_with_hashes(name):
    required, locked = pinned(PROJECT / "requirements.txt"), pinned(PROJECT / "images" / f"{name}.lock")
    for package in wanted(PROJECT / "images" / f"{name}.in"):
        assert locked[package] == required[package], f"{package}: run make locks"
    text = (PROJECT / "images" / f"{name}.lock").read_text()
    for entry in re.split(r"\n(?=\w)", text.strip()):
        assert "--hash=sha256:" in entry
    assert "://" not in text


def import_statements(image):
    """The import statements of an image's code, also those in functions."""
    files = [PROJECT / name for name in image.content if name.endswith(".py") and name.startswith("components")]
    files += [file for name in image.content if (PROJECT / name).is_dir() for file in (PROJECT / name).rglob("*.py")]
    for file in files:
        yield from (
            node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
        )


def imported(image):
    """The packages that an image's code imports."""
    for node in import_statements(image):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
        yield from (name.partition(".")[0] for name in names)


def imported_modules(image):
    """The modules of the project that an image's code imports, by their whole names."""
    for node in import_statements(image):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "components":
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = [name for name in inside if is_module(name)]
            yield from modules or [node.module]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("components."))


def is_module(name):
    path = PROJECT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_an_image_has_every_module_of_the_project_that_its_code_imports(image):
    for name in imported_modules(image):
        path = name.replace(".", "/")
        found = [f"{path}.py", f"{path}/__init__.py", *(str(parent) for parent in (Path(path), *Path(path).parents))]
        assert set(found) & set(image.content), f"{image.dockerfile} does not copy {name}"


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
def test_locks_have_every_package_that_the_code_imports(image):
    lock = next(name for name in image.content if name.endswith(".lock"))
    locked = set(pinned(PROJECT / lock)) | {"tensorflow-cpu"}
    packages = metadata.packages_distributions()
    wanted = {name for name in imported(image) if name not in sys.stdlib_module_names} - {"components", "jax"}
    missing = {name for name in wanted if not {each.lower().replace("_", "-") for each in packages[name]} & locked}
    assert not missing, f"add them to {lock.replace('.lock', '.in')} and run make locks"


def test_the_data_image_has_no_tensorflow_and_no_keras():
    assert not {"tensorflow", "tensorflow-cpu", "keras"} & set(pinned(PROJECT / "images" / "data.lock"))


def test_both_images_are_built_with_their_arguments(docker, capsys):
    program, calls = docker
    build.main(["--registry", "r.io/me", "--tag", "7", "--gpu", "1", "--base", "my/python:3", "--docker", str(program)])
    data, train = calls()
    assert data.startswith("build --file images/data.Dockerfile --tag r.io/me/pneumonia-benchmark-data:7 ")
    assert "VARIANT" not in data
    assert "--build-arg BASE=my/python:3" in data
    assert "--build-arg VERSION=7" in data
    assert "--tag r.io/me/pneumonia-benchmark-train:7" in train
    assert "--build-arg VARIANT=gpu" in train
    assert "r.io/me/pneumonia-benchmark-train:7" in capsys.readouterr().out.splitlines()[-1]


def test_a_build_that_fails_stops_with_one_sentence(docker, capsys):
    program, calls = docker
    with pytest.raises(SystemExit) as stopped:
        build.main(["--tag", "bad", "--docker", str(program)])
    assert stopped.value.code == 2
    assert "pneumonia-benchmark-data:bad could not be built" in capsys.readouterr().err
    assert len(calls()) == 1


def test_pushing_says_how_to_compile_with_digests(docker, capsys):
    program, calls = docker
    build.main(["--registry", "r.io:5000/me", "--tag", "7", "--docker", str(program), "--push"])
    assert [call.split()[0] for call in calls()] == ["push", "inspect", "push", "inspect"]
    assert (
        "python compile.py --data-image r.io:5000/me/pneumonia-benchmark-data@sha256:abc "
        "--train-image r.io:5000/me/pneumonia-benchmark-train@sha256:abc" in capsys.readouterr().out
    )


def test_a_missing_docker_is_named(capsys):
    with pytest.raises(SystemExit):
        build.main(["--docker", "no-such-docker"])
    assert "there is no program no-such-docker: install Docker" in capsys.readouterr().err


def test_names_are_printed_without_docker(capsys):
    build.main(["--names", "--docker", "no-such-docker", "--tag", "3"])
    assert capsys.readouterr().out.split() == ["pneumonia-benchmark-data:3", "pneumonia-benchmark-train:3"]


def test_weights_of_a_folder_are_carried_and_change_the_tag(copy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    (folder / "net_no_top.h5").write_bytes(b"weights")
    (folder / "note.txt").write_text("not weights")
    before = tags()["images/train.Dockerfilecpu"]
    build.copy_weights(folder)
    build.copy_weights(copy / "images" / "weights")  # those that are there already stay
    assert (copy / "images/weights/net_no_top.h5").read_bytes() == b"weights"
    assert not (copy / "images/weights/note.txt").exists()
    assert tags()["images/train.Dockerfilecpu"] != before


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(UserError, match="has no weights files"):
        build.copy_weights(tmp_path)
    with pytest.raises(UserError, match="none has no weights files"):
        build.copy_weights(tmp_path / "none")
