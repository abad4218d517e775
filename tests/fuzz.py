"""Feeds damaged files to what reads other people's files: python -m tests.fuzz.

Every input is a real file with a few random changes. What may come of it is a result or a clean refusal (ValueError or
UserError), within a time and a memory limit; anything else, a crash of the process included, is a finding.
"""

import argparse
import gzip
import io
import multiprocessing
import os
import random
import resource
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom import uid

from components.console import UserError
from components.imaging.decoding import decode
from components.imaging.formats import inspect
from components.ingest import archives
from components.ingest.labels import read_labels
from components.ingest.sources import buckets
from components.ingest.sources.directory import opened
from tests.imaging import jpeg_encoder
from tests.imaging.dicom_files import make_dicom
from tests.imaging.tiff_files import grey_tiff

SIZE = 64
MEMORY = 6 * 1024**3
"""Address space of a worker. 100 million pixels, the most that is let through, take up to 1.5 GB to decode."""
NUMBERS = [
    value.to_bytes(width, order)
    for value in (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
    for width in (1, 2, 4)
    for order in ("little", "big")
    if value < 256**width
]
EXAMPLES = """examples:
  python -m tests.fuzz                                     20,000 inputs, made of drawn pictures and archives of them
  python -m tests.fuzz --images ~/chest_xray --keep /tmp/findings
  python -m tests.fuzz --seed 7 --only 1234 --keep /tmp    one input again"""


def main(words: Sequence[str] | None = None) -> int:
    """Reads the command line, feeds, prints; gives 1 where something was found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Feeds damaged images and archives to ingest and preprocess; says what is not refused cleanly.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--inputs", type=int, default=20_000, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--reader", choices=READERS, default="files", help="; ".join(READERS) + "; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=1, help="equal seeds make equal inputs; default: %(default)s")
    parser.add_argument("--seconds", type=float, default=10, help="for each input; default: %(default)g")
    parser.add_argument("--images", type=Path, help="folder with further real files to damage")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="feed this one input")
    parser.add_argument("--keep", type=Path, help="folder for the inputs of findings")
    arguments = parser.parse_args(words)
    make, _ = READERS[arguments.reader]
    seeds = list(make()) + real_files(arguments.images)
    numbers = range(arguments.inputs) if arguments.only is None else [arguments.only]
    began = time.monotonic()
    outcomes: Counter[str] = Counter()
    findings = 0
    for done, (number, outcome) in enumerate(
        feed(seeds, arguments.seed, numbers, arguments.seconds, partial(_work, reader=arguments.reader)), 1
    ):
        kind = outcome.partition(": ")[0]
        outcomes[kind] += 1
        if kind not in ("read", "refused"):
            findings += 1
            print(f"input {number}: {outcome}", flush=True)
            if arguments.keep:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                (arguments.keep / f"{arguments.seed}-{number}").write_bytes(damaged(seeds, arguments.seed, number))
        if done % 2000 == 0:
            print(f"{done} inputs, {findings} findings, {time.monotonic() - began:.0f} s", flush=True)
    counts = ", ".join(f"{count} {kind}" for kind, count in outcomes.most_common())
    print(f"{sum(outcomes.values())} inputs from {len(seeds)} files in {time.monotonic() - began:.0f} s: {counts}")
    print(f"largest memory of a worker: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:,.0f} MiB")
    return int(findings > 0)


def real_files(folder: Path | None) -> list[bytes]:
    """Up to 50 files of a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    return [path.read_bytes() for path in paths[:: max(1, len(paths) // 50)][:50]]


def samples() -> Iterator[bytes]:
    """Whole files of every format and colour mode that is read."""
    noise = np.random.default_rng(0).integers(256, size=(8, 8)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    grey = np.asarray(picture)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a remark"
    saved = [(mode, "PNG", {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")]
    saved += [("L", "PNG", {"exif": exif}), ("P", "PNG", {"transparency": 3})]
    saved += [
        (mode, "JPEG", settings)
        for mode in ("L", "RGB", "CMYK")
        for settings in ({}, {"progressive": True}, {"exif": exif, "comment": b"x"})
    ]
    saved += [
        (mode, "TIFF", {"compression": how})
        for mode in ("L", "RGB", "CMYK")
        for how in (None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
    ]
    saved += [("1", "TIFF", {"compression": "group4"}), ("L", "TIFF", {"tile": (32, 32)}), ("L", "MPO", {})]
    saved += [(mode, "BMP", {}) for mode in ("1", "L", "P", "RGB")]
    for mode, kind, settings in saved:
        more = {"save_all": True, "append_images": [picture]} if kind == "MPO" else {}
        yield encode(picture.convert(mode), kind, **settings, **more)
    yield encode(Image.fromarray(grey * np.uint16(16)), "PNG")
    yield encode(Image.fromarray(grey * np.uint16(16)), "TIFF")
    yield encode(picture, "PNG", save_all=True, append_images=[picture.rotate(90)])
    for values in (grey, grey.astype(np.int16), grey.astype(np.uint32), grey.astype(np.int8)):
        yield from (grey_tiff(values, photometric, order) for photometric in (0, 1) for order in "<>")
    yield from dicom_samples(grey)
    yield from archive_samples([encode(picture, "PNG"), encode(picture.rotate(90), "PNG")])


def table_samples() -> Iterator[bytes]:
    """Tables as spreadsheets write them."""
    rows = [
        ("image", "label", "split", "patient"),
        ("a/1.png", "NORMAL", "train", "p1"),
        ("a/2.png", "1", "test", "p2"),
    ]
    rows += [(f"b/{number}.jpeg", "PNEUMONIA" if number % 2 else "NORMAL", "val", "") for number in range(20)]
    for separator in ",;\t|":
        text = "\n".join(separator.join(row) for row in rows)
        yield text.encode()
        yield f"sep={separator}\r\n{text}".encode("utf-8-sig")
    yield "\r\n".join(",".join(f'"{cell}"' for cell in row) + "," for row in rows).encode()
    yield "\n".join(",".join(row[:2]) for row in rows).encode("utf-16")


def object_samples() -> Iterator[bytes]:
    """Objects of a store: a name, and a content that is stored as it is or as a gzip."""
    for name in ("train/NORMAL/a.png", "data//b.png", "c.tar.gz", "folder/", "d\u00e4.jpeg"):
        for content in (b"", b"image" * 50, gzip.compress(b"image" * 500), gzip.compress(bytes(10**5))):
            yield name.encode() + b"\n" + content


def archive_samples(pictures: Sequence[bytes]) -> Iterator[bytes]:
    """Archives of every kind that is read, with two pictures each, and PneumoniaMNIST's arrays."""
    names = ("NORMAL/a.png", "PNEUMONIA/b.png")
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", packing) as archive:
            for name, content in zip(names, pictures, strict=False):
                archive.writestr(name, content)
        yield buffer.getvalue()
    for kind, layout in (("w", tarfile.USTAR_FORMAT), ("w", tarfile.PAX_FORMAT), ("w:gz", tarfile.GNU_FORMAT)):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=kind, format=layout) as archive:
            for name, content in zip(names, pictures, strict=False):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        yield buffer.getvalue()
    arrays = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.random.default_rng(0).integers(256, size=(4, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.array([[0], [1], [0], [1]], np.uint8)
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, **arrays)
        yield buffer.getvalue()


def dicom_samples(grey: np.ndarray) -> Iterator[bytes]:
    """DICOM files of every transfer syntax that is read."""
    window = {"WindowCenter": 128, "WindowWidth": 256, "RescaleSlope": 1, "RescaleIntercept": 0}
    wide = grey.astype(np.int16) * 16 - 2048
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData = [256, 0, 16], list(range(0, 65_536, 256))
    table["LUTDescriptor"].VR, table["LUTData"].VR = "US", "US"
    for syntax in (uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian):
        yield make_dicom(grey, syntax, **window)
        yield make_dicom(wide, syntax, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    yield make_dicom(grey, VOILUTSequence=[table], PixelPaddingValue=0)
    yield make_dicom(wide, uid.DeflatedExplicitVRLittleEndian, **window)
    yield make_dicom(grey, **window)[128:]
    yield make_dicom(np.stack([grey] * 3, axis=2))
    packed = [(uid.JPEGBaseline8Bit, "JPEG", {}), (uid.JPEG2000Lossless, "JPEG2000", {"no_jp2": True})]
    for syntax, kind, settings in packed:
        frame = encode(Image.fromarray(grey), kind, **settings)
        yield make_dicom(grey, syntax, PixelData=pydicom.encaps.encapsulate([frame]), **window)
    frames = {
        uid.JPEGLossless: jpeg_encoder.jpeg_lossless(wide, 12, 4),
        uid.JPEGLosslessSV1: jpeg_encoder.jpeg_lossless(wide, 16),
        uid.JPEGLSLossless: jpeg_encoder.jpeg_ls(wide, 12),
        uid.JPEGLSNearLossless: jpeg_encoder.jpeg_ls(wide, 12, 2),
    }
    for syntax, frame in frames.items():
        packed = pydicom.encaps.encapsulate([frame])
        yield make_dicom(wide, syntax, PixelData=packed, BitsStored=12, HighBit=11, **window)
    dataset = pydicom.dcmread(io.BytesIO(make_dicom(wide, BitsStored=12, HighBit=11)))
    dataset.compress(uid.RLELossless)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    yield buffer.getvalue()


def encode(image: Image.Image, kind: str, **settings) -> bytes:
    """An image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def damaged(seeds: Sequence[bytes], seed: int, number: int) -> bytes:
    """Input `number`: one of the files with one to eight changes, mostly near its beginning, where headers are."""
    rng = random.Random(f"{seed} {number}")  # noqa: S311 (no secret)
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        rng.choice(CHANGES)(rng, content, seeds)
    _mend(content)
    return bytes(content)


def _mend(content: bytearray) -> None:
    """Gives the headers of a tar right checksums, without which a reader would look at no change to them."""
    for start in range(0, len(content) - 511, 512):
        if content[start + 257 : start + 262] == b"ustar":
            content[start + 148 : start + 156] = b" " * 8
            content[start + 148 : start + 155] = b"%06o\0" % sum(content[start : start + 512])


def _place(rng: random.Random, content: bytearray) -> int:
    end = len(content) if rng.random() < 0.4 else min(len(content), 700)
    return rng.randrange(end) if end else 0


def _flip(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    if content:
        content[_place(rng, content)] ^= 1 << rng.randrange(8)


def _number(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    value, place = rng.choice(NUMBERS), _place(rng, content)
    content[place : place + len(value)] = value


def _cut(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    del content[_place(rng, content) :]


def _remove(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    place = _place(rng, content)
    del content[place : place + rng.choice((1, 2, 4, 64))]


def _insert(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    place = _place(rng, content)
    content[place:place] = rng.randbytes(rng.choice((1, 2, 4, 64)))


def _double(rng: random.Random, content: bytearray, _: Sequence[bytes]) -> None:
    place, length = _place(rng, content), rng.choice((4, 16, 256))
    content[place:place] = content[place : place + length]


def _graft(rng: random.Random, content: bytearray, seeds: Sequence[bytes]) -> None:
    other, place = rng.choice(seeds), _place(rng, content)
    content[place:] = other[min(place, len(other)) :]


CHANGES: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    *(_flip, _flip, _number, _number, _number, _cut, _remove, _insert, _double, _graft),
)


def outcome_of(content: bytes) -> str:
    """What ingest and preprocess make of a file: "read", "refused", or "failed: what" for anything else."""
    return _outcome(_read_file, content)


def outcome_of_table(content: bytes) -> str:
    """The same of a table of images and labels."""
    return _outcome(_read_table, content)


def outcome_of_object(content: bytes) -> str:
    """The same of an object of a store: its name is the first line, its content the rest."""
    return _outcome(_take_object, content)


def _outcome(read: Callable[[bytes], bool], content: bytes) -> str:
    try:
        sound_result = read(content)
    except (ValueError, UserError) as error:
        sound = str(error) and "MemoryError" not in str(error)
        return "refused" if sound else f"failed: refused for {str(error) or 'no reason'}"
    except BaseException as error:
        return f"failed: {type(error).__name__}: {error}"
    return "read" if sound_result else "failed: the result is another than can be"


def _read_file(content: bytes) -> bool:
    if _unpacked(content):
        return True
    result = decode(inspect(content).content, 32)
    return result.shape == (32, 32) and result.dtype == np.uint8


def _read_table(content: bytes) -> bool:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        (table := Path(name, "labels.csv")).write_bytes(content)
        found, _ = read_labels(table)
    return all(item.path.is_relative_to(name) and ".." not in item.path.parts for item in found)


def _take_object(content: bytes) -> bool:
    name, _, body = content.partition(b"\n")
    key = name.decode("utf-8", "surrogateescape")
    places = buckets._places([buckets.Object(key, len(body), "1")], "", "s3://bucket/")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        (file := Path(folder, "object")).write_bytes(body)
        buckets._unpack_gzip(file, key)
        if [path.name for path in Path(folder).iterdir()] != ["object"]:
            raise AssertionError("something is left beside the object")
    return all(not path.is_absolute() and ".." not in path.parts for path in places)


def _unpacked(content: bytes) -> bool:
    """Unpacks the content if it is an archive, and says whether it was.

    Raises:
        AssertionError: something was written outside of the target folder.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        file, workspace = Path(name, "input"), Path(name, "workspace")
        file.write_bytes(content)
        workspace.mkdir()
        if not archives.kind_of(file):
            return False
        try:
            opened(file, workspace)
        finally:
            if {path.name for path in Path(name).iterdir()} != {"input", "workspace"}:
                raise AssertionError("written outside of the target folder")
            if {path.name for path in workspace.iterdir()} - {"unpacked"}:
                raise AssertionError("written outside of the target folder")
            if any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in workspace.rglob("*")):
                raise AssertionError("a link or device was made")
        return True


def feed(
    seeds: Sequence[bytes], seed: int, numbers: Sequence[int], seconds: float, work: Callable[..., None] | None = None
) -> Iterator[tuple[int, str]]:
    """Feeds inputs to a worker, which is replaced when it crashes or takes too long; gives number and outcome."""
    worker = None
    for number in numbers:
        if worker is None:
            worker, pipe = _start(work or _work, seeds, seed)
            pipe.poll(60)  # while it starts
            pipe.recv()
        pipe.send(number)
        try:
            outcome = pipe.recv() if pipe.poll(seconds) else f"slow: more than {seconds:g} s"
        except EOFError:
            worker.join()
            outcome = f"crashed: exit code {worker.exitcode}"
        if outcome.startswith(("slow", "crashed")):
            worker.kill()
            worker.join()
            worker = None
        yield number, outcome
    if worker:
        pipe.send(None)
        worker.join()


def _start(work: Callable[..., None], seeds: Sequence[bytes], seed: int) -> tuple[multiprocessing.Process, Connection]:
    context = multiprocessing.get_context("spawn")
    pipe, end = context.Pipe()
    worker = context.Process(target=work, args=(end, seeds, seed), daemon=True)
    worker.start()
    end.close()
    return worker, pipe


def _work(pipe: Connection, seeds: Sequence[bytes], seed: int, reader: str = "files") -> None:
    """Takes numbers of inputs until there is none; an outcome each."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # where image libraries complain
    pipe.send("ready")
    while (number := pipe.recv()) is not None:
        pipe.send(READERS[reader][1](damaged(seeds, seed, number)))


READERS = {
    "files": (samples, outcome_of),
    "tables": (table_samples, outcome_of_table),
    "objects": (object_samples, outcome_of_object),
}
"""What is fed to, by name: what makes the whole inputs, and what reads one."""


if __name__ == "__main__":
    sys.exit(main())
