"""Archives are unpacked whole or not at all; whatever is in them, nothing appears outside the target folder."""

import gzip
import io
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.console import UserError
from components.ingest import archives
from components.ingest.archives import kind_of, unpack
from components.ingest.ingest import ingest
from components.ingest.paths import UnsafeNameError, safe_path
from components.parameters import IngestParameters

GOOD = {"chest/NORMAL/a.png": b"first", "chest/PNEUMONIA/b.png": b"second" * 100}


def write_zip(path: Path, members: dict, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, members: dict, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def content_of(folder: Path) -> dict:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refuse(archive: Path, message: str) -> None:
    """The archive is refused with that message, and neither the target nor anything beside it appears."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(UserError, match=message) as raised:
        unpack(archive, archive.parent / "target" / "below")
    assert archive.name in str(raised.value)
    if (archive.parent / "target").exists():
        (archive.parent / "target").rmdir()
    assert sorted(archive.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("data.zip", write_zip),
        ("data.tar.gz", write_tar),
        ("data.tar", lambda path, members: write_tar(path, members, "w")),
        ("wrong.jpeg", write_zip),
        ("no_suffix", write_tar),
    ],
)
def test_an_archive_is_unpacked_by_its_content_whatever_its_name(tmp_path, name, write):
    unpack(write(tmp_path / name, GOOD), tmp_path / "target")
    assert content_of(tmp_path / "target") == GOOD


def test_folders_and_backslashes_of_windows_are_understood(tmp_path):
    unpack(write_zip(tmp_path / "a.zip", {"NORMAL/": b"", "NORMAL\\x\\a.png": b"1", "./b.png": b"2"}), tmp_path / "t")
    assert content_of(tmp_path / "t") == {"NORMAL/x/a.png": b"1", "b.png": b"2"}


def test_a_zip_of_powershell_whose_folders_end_in_a_backslash_is_unpacked(tmp_path):
    members = {"train\\": b"", "train\\NORMAL\\": b"", "train\\NORMAL\\a.png": b"1", "train\\PNEUMONIA\\": b""}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name  # ZipInfo itself would change it on Windows
            archive.writestr(info, content)
    unpack(tmp_path / "a.zip", tmp_path / "t")
    assert content_of(tmp_path / "t") == {"train/NORMAL/a.png": b"1"}
    assert (tmp_path / "t" / "train" / "PNEUMONIA").is_dir()


CLIMBING = [
    "../evil",
    "a/../../evil",
    "..\\evil",
    "a\\..\\..\\evil",
    "/etc/evil",
    "\\evil",
    "C:\\evil",
    "c:evil",
    "//x/y",
]


@pytest.mark.parametrize("name", CLIMBING)
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_a_path_that_leads_out_is_refused_with_the_whole_archive(tmp_path, write, name):
    archive = write(tmp_path / "archive", GOOD | {name: b"evil"})
    refuse(archive, "which (leads out of its folder|is an absolute path): that looks like an attack")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.BLKTYPE, "is a device"),
        (tarfile.FIFOTYPE, "is a device"),
    ],
)
def test_a_tar_with_a_link_or_device_is_refused(tmp_path, kind, message):
    refuse(
        write_tar(tmp_path / "a.tar.gz", {entry("x", kind, "/etc/passwd"): b""} | GOOD),
        f"contains 'x', which {message}",
    )


@pytest.mark.parametrize(("mode", "message"), [(0o120777, "is a link"), (0o020666, "is a device")])
def test_a_zip_with_a_link_or_device_is_refused(tmp_path, mode, message):
    info = zipfile.ZipInfo("x")
    info.external_attr = mode << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    refuse(tmp_path / "a.zip", f"contains 'x', which {message}")


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_a_bomb_is_stopped_at_the_limit_and_removed(tmp_path, monkeypatch, write):
    monkeypatch.setattr(archives, "HARMLESS_BYTES", 2**20)
    refuse(write(tmp_path / "bomb", {"zeros": bytes(8 * 2**20)}), r"unpacks to more than 1 MB, .* \(a bomb\)")


def test_a_zip_whose_members_share_their_bytes_is_a_bomb_too(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "HARMLESS_BYTES", 2**20)
    archive = write_zip(tmp_path / "bomb.zip", {f"{number}": bytes(2**19) for number in range(8)})
    refuse(archive, "looks like an attack")


def test_a_well_packed_archive_is_no_bomb(tmp_path):
    unpack(write_zip(tmp_path / "a.zip", {"zeros": bytes(2**20)}), tmp_path / "t")
    assert (tmp_path / "t" / "zeros").stat().st_size == 2**20


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_more_files_than_the_limit_are_refused_even_if_empty(tmp_path, monkeypatch, write):
    monkeypatch.setattr(archives, "MAX_FILES", 20)
    refuse(write(tmp_path / "many", {f"{number}": b"" for number in range(21)}), "more than 20 files")
    unpack(write(tmp_path / "fine", {f"{number}": b"" for number in range(20)}), tmp_path / "t")


def directory_of(path: Path) -> tuple[int, int]:
    """Size and position of a zip's central directory, as its last 22 bytes tell."""
    return struct.unpack("<4s4H2LH", path.read_bytes()[-22:])[5:7]


def test_a_zip_with_a_directory_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    archive = write_zip(tmp_path / "many.zip", {f"{number}.png": b"x" for number in range(50)})
    monkeypatch.setattr(archives, "MAX_DIRECTORY", directory_of(archive)[0] - 1)
    refuse(archive, "many.zip contains far more than 500000 files, so nothing of it is used: split it up")
    monkeypatch.setattr(archives, "MAX_DIRECTORY", directory_of(archive)[0])
    unpack(archive, tmp_path / "target")
    assert len(content_of(tmp_path / "target")) == 50


def test_a_zip_that_declares_a_directory_of_more_than_the_limit_is_refused(tmp_path):
    content = bytearray(write_zip(tmp_path / "a.zip", GOOD).read_bytes())
    content[-10:-6] = struct.pack("<L", archives.MAX_DIRECTORY + 1)
    (tmp_path / "a.zip").write_bytes(content)
    refuse(tmp_path / "a.zip", "far more than 500000 files")


def as_zip64(path: Path, declared: int = 0) -> Path:
    """Gives a zip the records of ZIP64 for its directory, whose size is the real one unless declared."""
    content = path.read_bytes()
    size, start = directory_of(path)
    count = struct.unpack("<4s4H2LH", content[-22:])[3]
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, declared or size, start)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(content) - 22, 1)
    path.write_bytes(
        content[:-22] + end + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *[2**16 - 1] * 2, *[2**32 - 1] * 2, 0)
    )
    return path


def test_a_zip64_is_unpacked_and_its_directory_is_limited_too(tmp_path):
    unpack(as_zip64(write_zip(tmp_path / "a.zip", GOOD)), tmp_path / "target")
    assert content_of(tmp_path / "target") == GOOD
    (tmp_path / "b").mkdir()
    refuse(
        as_zip64(write_zip(tmp_path / "b" / "b.zip", GOOD), archives.MAX_DIRECTORY + 1), "far more than 500000 files"
    )


@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_an_archive_of_3000_members_is_unpacked_under_the_real_limits(tmp_path, write):
    members = {f"chest/NORMAL/{number:04}.png": b"%d" % number for number in range(3000)}
    unpack(write(tmp_path / "many", members), tmp_path / "target")
    assert content_of(tmp_path / "target") == members


def test_a_tar_with_a_single_end_block_is_whole(tmp_path):
    """The format has two, but some programs write one."""
    archive = write_tar(tmp_path / "a.tar", GOOD, "w")
    end = len(archive.read_bytes().rstrip(b"\0"))
    archive.write_bytes(archive.read_bytes()[: -(-end // 512) * 512 + 512])
    unpack(archive, tmp_path / "target")
    assert content_of(tmp_path / "target") == GOOD


@pytest.mark.parametrize("write", [write_zip, write_tar])
@pytest.mark.parametrize("second", ["a.png", "./a.png", "x//../a.png", "a.png/b.png"])
def test_names_that_become_the_same_file_are_refused(tmp_path, write, second):
    members = [("a.png", b"1"), (second, b"2")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if write is write_zip:
            with zipfile.ZipFile(tmp_path / "two", "w") as archive:
                for name, content in members:
                    archive.writestr(name, content)
        else:
            write_tar(tmp_path / "two", {tarfile.TarInfo(name): content for name, content in members})
    refuse(tmp_path / "two", "two files that would both become|leads out")


def test_names_that_differ_by_capitals_are_refused_where_the_disk_takes_them_for_one(tmp_path):
    archive = write_zip(tmp_path / "a.zip", {"a.png": b"1", "A.png": b"2"})
    (tmp_path / "probe").touch()
    if (tmp_path / "PROBE").exists():
        refuse(archive, "two files that would both become")
    else:
        unpack(archive, tmp_path / "t")
        assert content_of(tmp_path / "t") == {"a.png": b"1", "A.png": b"2"}


def test_a_member_that_needs_a_password_is_refused(tmp_path):
    archive = write_zip(tmp_path / "a.zip", GOOD)
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(content)
    refuse(archive, "'chest/NORMAL/a.png', which needs a password")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "a.tar"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
def test_an_archive_that_is_cut_off_is_refused(tmp_path, name, part):
    write = write_zip if name == "a.zip" else write_tar
    noise = {f"NORMAL/{number}": bytes((number * i) % 251 for i in range(3000)) for number in range(10)}
    archive = write(tmp_path / name, noise, *(("w",) if name == "a.tar" else ()))
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * part)])
    refuse(archive, "damaged or truncated")


def test_a_tar_that_ends_between_two_members_is_not_taken_for_whole(tmp_path):
    archive = write_tar(tmp_path / "a.tar", {"a": b"1" * 512, "b": b"2" * 512}, "w")
    archive.write_bytes(archive.read_bytes()[:1024])
    refuse(archive, "truncated")


def test_a_tar_with_rubbish_between_its_members_is_not_taken_for_whole(tmp_path):
    archive = write_tar(tmp_path / "a.tar", {"a": b"1" * 512, "b": b"2" * 512}, "w")
    content = bytearray(archive.read_bytes())
    content[1024:1536] = b"x" * 512
    archive.write_bytes(content)
    refuse(archive, "truncated")


def test_a_wrong_checksum_in_a_zip_or_gzip_is_noticed(tmp_path):
    for name, write in (("a.zip", write_zip), ("a.tar.gz", write_tar)):
        archive = write(tmp_path / name, GOOD)
        content = bytearray(archive.read_bytes())
        at = content.index(b"PK\1\2") + 16 if name == "a.zip" else len(content) - 8
        content[at] ^= 1
        archive.write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            unpack(archive, tmp_path / "target")
        assert not (tmp_path / "target").exists()


def test_a_tar_header_of_a_declared_gigabyte_is_not_read_into_memory(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 2**30
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(10 * 2**20)))
    refuse(tmp_path / "a.tar.gz", "header that is far too long")


@pytest.mark.parametrize("content", [b"", b"no archive", b"Rar!\x1a\7\0", b"\x1f\x8b\x08rubbish", b"7z\xbc\xaf'\x1c"])
def test_what_is_no_archive_is_refused_with_the_remedy(tmp_path, content):
    (tmp_path / "data.zip").write_bytes(content)
    with pytest.raises(UserError, match=r"data.zip is neither a zip nor a tar: give a \.zip"):
        unpack(tmp_path / "data.zip", tmp_path / "target")


def test_a_name_that_is_too_long_is_refused(tmp_path):
    refuse(
        write_zip(tmp_path / "a.zip", {"n" * 300: b""}),
        "a file with a name that is too long, n+...n+: shorten it",
    )


def test_a_name_that_is_not_utf8_and_an_archive_in_the_archive_are_only_bad_files(tmp_path, write_kaggle):
    write_kaggle(tmp_path / "data", train=1, test=1)
    inner = write_zip(tmp_path / "inner.zip", GOOD).read_bytes()
    members = content_of(tmp_path / "data") | {"train/NORMAL/inner.zip": inner, "train/NORMAL/n.png": b""}
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("n.png", "\xe9.png"))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    report = ingest(
        tmp_path / "raw", IngestParameters(source="directory", path=str(tmp_path / "a.tar"), max_bad_fraction=0.5)
    )
    assert report["images"] == 8
    assert {item["image"] for item in report["refused"]} == {"train/NORMAL/inner.zip", "train/NORMAL/\\udce9.png"}
    assert any("not valid UTF-8" in item["reason"] for item in report["refused"])


def test_a_zip_is_told_from_numpys_npz(tmp_path):
    assert kind_of(write_zip(tmp_path / "a", {"x.npy": b""})) == "npz"
    assert kind_of(write_zip(tmp_path / "b", {"x.npy": b"", "y.png": b""})) == "zip"


NAMES = st.text(st.sampled_from("ab./\\:\0 \n\xe9C"), min_size=1, max_size=12)


@given(name=NAMES)
def test_no_name_leads_out_of_a_folder(name):
    try:
        path = safe_path(name)
    except UnsafeNameError:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert "\\" not in str(path)
    assert "\0" not in str(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(names=st.lists(NAMES, max_size=4), tar=st.booleans())
def test_whatever_the_names_nothing_appears_outside_the_target(tmp_path_factory, names, tar):
    folder = tmp_path_factory.mktemp("names")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if tar:
            write_tar(folder / "archive", {tarfile.TarInfo(name): b"x" for name in names})
        else:
            write_zip(folder / "archive", {name: b"x" for name in names if name.split("\0")[0]})
    try:
        unpack(folder / "archive", folder / "target")
    except UserError:
        assert not (folder / "target").exists()
    assert {path.name for path in folder.iterdir()} <= {"archive", "target"}


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), tar=st.booleans())
def test_a_damaged_archive_is_unpacked_or_refused_but_never_crashes(tmp_path_factory, data, tar):
    folder = tmp_path_factory.mktemp("damaged")
    archive = (write_tar if tar else write_zip)(folder / "archive", GOOD)
    content = bytearray(archive.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    archive.write_bytes(content)
    try:
        unpack(archive, folder / "target")
    except UserError:
        assert not (folder / "target").exists()
