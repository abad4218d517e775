"""JPEG Lossless and JPEG-LS: what comes out of them, what is refused, and what a fault of their decoders costs."""

import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid

from components.imaging import decoder, decoder_process, jpeg_lossless
from components.imaging.dicom import read
from components.imaging.dicom_tags import UnusableError

from .jpeg_encoder import EOI, as_restored, jpeg_ls, segment
from .jpeg_encoder import jpeg_lossless as encode

ROWS, COLUMNS = np.mgrid[0:40, 0:50]
RAMP = np.round(40 + 4000 * (ROWS + COLUMNS) / 88).astype(np.uint16)
"""12 bits, from dark to bright."""
GREY = np.round(RAMP / 4095 * 255)
PROJECT = str(Path(__file__).resolve().parents[2])
SYNTAX_LS = uid.JPEGLSLossless
BITS = {"BitsStored": 12, "HighBit": 11, "WindowCenter": 2048, "WindowWidth": 4096}
TABLES = (
    (5,) * 17,
    (2, 3, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 3, 3, 3, 2),
)
"""Lengths of the Huffman codes, for differences of 0 to 16 bits."""


@pytest.fixture(autouse=True, scope="module")
def _decoders():
    """The tests that only decode share a process; none is left."""
    yield
    decoder.close()


@pytest.fixture
def own_process():
    """The test starts its own process, and leaves none."""
    decoder.close()
    yield
    decoder.close()


@pytest.fixture
def file(write_dicom):
    """Makes a DICOM file of a compressed image."""

    def make(frame: bytes, syntax: uid.UID, pixels: np.ndarray = RAMP, fragments: int = 1, **tags) -> bytes:
        packed = pydicom.encaps.encapsulate([frame], fragments_per_frame=fragments)
        return write_dicom(pixels, syntax, PixelData=packed, **BITS | tags)

    return make


def shown(content: bytes) -> np.ndarray:
    return read(content, 10**6)[0]


def refused(content: bytes) -> str:
    with pytest.raises(ValueError, match=r".") as raised:
        read(content, 10**6)
    return str(raised.value)


def pictures(precision: int, seed: int) -> list[np.ndarray]:
    """Noise, a ramp, jumps from end to end, areas of one value; in several shapes."""
    rng, top = np.random.default_rng(seed), (1 << precision) - 1
    made = []
    for height, width in ((13, 17), (1, 29), (23, 1)):
        rows, columns = np.mgrid[0:height, 0:width]
        made += [
            rng.integers(0, top + 1, (height, width)),
            (rows + columns) % (top + 1),
            rng.choice([0, top, 1 << (precision - 1)], (height, width)),
            (rows // 7 + columns // 9) % 5 * top // 4,
        ]
    return [picture.astype(np.uint16) for picture in made]


@pytest.mark.parametrize("precision", range(2, 17))
def test_jpeg_lossless_comes_out_whole_with_every_predictor_and_table(precision):
    for predictor in range(1, 8):
        for number, picture in enumerate(pictures(precision, predictor)):
            frame = encode(picture, precision, predictor, codes=TABLES[(number + predictor) % 3])
            assert (jpeg_lossless.decode(frame) == picture).all()


@pytest.mark.parametrize("precision", range(2, 17))
def test_jpeg_ls_comes_out_whole_or_as_near_as_it_says(precision):
    for near in {0, 1, 3, 7} & set(range(1 << (precision - 1))):
        for picture in pictures(precision, near):
            decoded = jpeg_lossless.decode(jpeg_ls(picture, precision, near))
            assert (decoded == as_restored(picture, precision, near)).all()
            assert np.abs(decoded.astype(int) - picture).max() <= near


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_other_encoders_images_come_out_whole(kind):
    for picture in pictures(8 * np.dtype(kind).itemsize, 0):
        for encoder in (imagecodecs.ljpeg_encode, imagecodecs.jpegls_encode):
            assert (jpeg_lossless.decode(encoder(picture.astype(kind))) == picture).all()


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("syntax", jpeg_lossless.SYNTAXES, ids=lambda syntax: syntax.name)
def test_files_are_read_in_one_fragment_or_several(file, syntax, fragments):
    frame = jpeg_ls(RAMP, 12) if "LS" in syntax.keyword else encode(RAMP, 12)
    assert (shown(file(frame, syntax, fragments=fragments)) == GREY).all()


@pytest.mark.parametrize("precision", [12, 16])
def test_numbers_with_a_sign_are_read(file, precision):
    signed = RAMP.astype(np.int16) - 2048
    for frame, syntax in ((encode(signed, precision), uid.JPEGLosslessSV1), (jpeg_ls(signed, precision), SYNTAX_LS)):
        assert (shown(file(frame, syntax, signed, WindowCenter=0)) == GREY).all()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("near", [1, 3, 9])
def test_white_and_black_stay_so_where_an_error_leads_out_of_the_stored_bits(file, near, signed):
    values = np.clip(RAMP.astype(int) * 2 - 2000, 0, 4095)
    values += np.random.default_rng(0).integers(0, 9, values.shape) * ((values > 100) & (values < 3900))
    pixels = (values - 2048).astype(np.int16) if signed else values.astype(np.uint16)
    restored = as_restored(pixels, 16, near).astype(pixels.dtype) + 2048 * signed
    assert restored.max() > 4095 or restored.min() < 0
    content = file(jpeg_ls(pixels, 16, near), uid.JPEGLSNearLossless, pixels, WindowCenter=0 if signed else 2048)
    assert np.abs(shown(content) - values / 4095 * 255).max() <= 0.5 + near / 16


def test_files_of_other_programs_are_read():
    def test_file(name: str) -> bytes:
        return Path(pydicom.data.get_testdata_file(name, download=False)).read_bytes()

    assert (shown(test_file("MR_small_jpeg_ls_lossless.dcm")) == shown(test_file("MR_small.dcm"))).all()
    for bits, greys in (("08", [0, 5, 15, 30, 65, 125, 255]), ("16", [0, 1, 4, 16, 64, 128, 255])):
        bands = np.unique(shown(test_file(f"JPEGLSNearLossless_{bits}.dcm")))
        assert np.abs(bands - np.array(greys)).max() <= 1


FURTHER = segment(0xFE, b"a remark of \xff\xda and \xff\xc4") + segment(0xE1, bytes(300)) + b"\xff\xff"


def test_what_else_a_header_holds_is_passed_over(file):
    other_tables = b"".join(bytes((number, 0, 1, *[0] * 14, 7)) for number in (0, 1, 2))
    for frame, syntax in (
        (encode(RAMP, 12, before=FURTHER + segment(0xC4, other_tables)), uid.JPEGLossless),
        (jpeg_ls(RAMP, 12, before=FURTHER), SYNTAX_LS),
    ):
        assert (shown(file(frame, syntax)) == GREY).all()
        assert (shown(file(frame + bytes(3), syntax)) == GREY).all()


def changed(frame: bytes, marker: int, place: int, value: int) -> bytes:
    """A frame with another byte in the content of one of its segments."""
    start = frame.index(bytes((0xFF, marker))) + 4 + place
    return frame[:start] + bytes((value,)) + frame[start + 1 :]


LOSSLESS, LS = encode(RAMP, 12), jpeg_ls(RAMP, 12)
HEADER = "the DICOM file's compressed image has a damaged header"
KIND = "the DICOM file's compressed image is of another kind than its transfer syntax"
SIZE = "the DICOM file's compressed image has another size than the file declares"
EARLY = "the DICOM file's compressed image ends too early"
DAMAGED = "the DICOM file's compressed image is damaged"
CONVERT = ", which {} not read here: convert it to Explicit VR Little Endian, for example with gdcmconv --raw"


@pytest.mark.parametrize(
    ("frame", "syntax", "reason"),
    [
        (b"packed", uid.JPEGLossless, HEADER),
        (LS, uid.JPEGLosslessSV1, KIND),
        (LOSSLESS, SYNTAX_LS, KIND),
        (LOSSLESS.replace(b"\xff\xc3", b"\xff\xc0"), uid.JPEGLossless, KIND),
        (LOSSLESS.replace(b"\xff\xc3", b"\xff\xfe"), uid.JPEGLossless, HEADER),
        (LOSSLESS.replace(b"\xff\xda", b"\xff\xfe"), uid.JPEGLossless, HEADER),
        (LOSSLESS[:30], uid.JPEGLossless, HEADER),
        (encode(RAMP, 12, before=segment(0xFE, b"") * 200), uid.JPEGLossless, HEADER),
        (encode(RAMP.T, 12), uid.JPEGLossless, SIZE),
        (jpeg_ls(RAMP.T, 12), SYNTAX_LS, SIZE),
        (changed(LS, 0xF7, 5, 3), SYNTAX_LS, SIZE.replace("another size", "other colours")),
        (changed(LS, 0xDA, 0, 2), SYNTAX_LS, HEADER),
        (changed(LOSSLESS, 0xDA, 3, 0), uid.JPEGLossless, HEADER),
        (changed(LOSSLESS, 0xDA, 3, 8), uid.JPEGLossless, HEADER),
        (changed(LOSSLESS, 0xDA, 2, 0x10), uid.JPEGLossless, HEADER),  # a table that is not there
        (changed(LOSSLESS, 0xC4, 17, 17), uid.JPEGLossless, HEADER),  # a difference of 17 bits
        (changed(LOSSLESS, 0xC4, 1, 9), uid.JPEGLossless, HEADER),  # 9 codes of one bit
        (changed(LS, 0xDA, 2, 1), SYNTAX_LS, "its JPEG-LS pixels are numbers of a table" + CONVERT.format("are")),
        (
            encode(RAMP, 12, interval=10),
            uid.JPEGLossless,
            "its JPEG Lossless has restart intervals" + CONVERT.format("are"),
        ),
        (
            encode(RAMP, 12, point=1),
            uid.JPEGLosslessSV1,
            f"its {uid.JPEGLosslessSV1.name} leaves out bits (point transform)" + CONVERT.format("is"),
        ),
        (LOSSLESS.removesuffix(EOI), uid.JPEGLossless, EARLY),
        (LOSSLESS[:-300], uid.JPEGLossless, EARLY),
        (LS[:-30], SYNTAX_LS, EARLY),
        (LS[:-300] + EOI, SYNTAX_LS, DAMAGED),
        (LOSSLESS[:-400] + b"\xff\xd0" + LOSSLESS[-400:], uid.JPEGLossless, EARLY),
    ],
)
def test_what_contradicts_the_file_or_is_not_read_is_refused_before_it_is_decoded(file, frame, syntax, reason):
    assert refused(file(frame, syntax)) == reason


def test_bits_that_contradict_the_file_are_refused(file):
    reason = "the DICOM file's compressed image has {} bits where the file declares {}"
    for frame, syntax in ((LOSSLESS, uid.JPEGLossless), (LS, SYNTAX_LS)):
        small = {"pixels": RAMP.astype(np.uint8), "BitsStored": 8, "HighBit": 7}
        assert refused(file(frame, syntax, **small)) == reason.format(12, "8 of 8")
        # Where its sign is cannot be known.
        sign = {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1}
        assert refused(file(frame, syntax, **sign)) == reason.format(12, "16 of 16")
        assert (shown(file(frame, syntax, BitsStored=16, HighBit=15)) == GREY).all()
        eight = file(frame, syntax, BitsStored=8, HighBit=7)
        assert refused(eight) == "its DICOM pixels use other bits than the 8 that it declares"


def test_colours_are_refused_by_name(file):
    colours = np.stack([RAMP.astype(np.uint8)] * 3, axis=2)
    frame = bytes(imagecodecs.jpegls_encode(colours))
    reason = refused(file(frame, SYNTAX_LS, colours, BitsStored=8, HighBit=7))
    assert reason.startswith(f"its colours are {SYNTAX_LS.name}, of which only grey is read here: convert it to")
    assert refused(file(frame, SYNTAX_LS)) == SIZE.replace("another size", "other colours")


@pytest.mark.parametrize("frame", [encode(RAMP, 12, 6), encode(RAMP, 12), LS, jpeg_ls(RAMP, 12, 2)])
def test_damaged_images_are_read_or_refused_with_a_reason_and_never_crash(frame):
    rng, read_anyway = np.random.default_rng(0), 0
    for _ in range(200):
        damaged = bytearray(frame)
        for place in rng.integers(4, len(frame), rng.integers(1, 6)):
            damaged[place] = rng.integers(256)
        content = damaged[: rng.integers(len(frame))] if rng.random() < 0.2 else damaged
        dataset = pydicom.Dataset()
        dataset.update({"Rows": 40, "Columns": 50, "SamplesPerPixel": 1, "PixelRepresentation": 0})
        dataset.update({"BitsAllocated": 16, "BitsStored": 12})
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = SYNTAX_LS if frame[3] == 0xF7 else uid.JPEGLossless
        try:
            jpeg_lossless.check(dataset, bytes(content))
            read_anyway += jpeg_lossless.decode(bytes(content)).shape == (40, 50)
        except UnusableError as error:
            assert "decoder" not in str(error) or "took too long" in str(error)
    assert read_anyway


# The process that decodes.


@pytest.fixture
def stand_in(monkeypatch, tmp_path, own_process):  # noqa: ARG001 (the process is the stand-in)
    """Has images decoded by Python code in a process like the real one."""

    def replace(code: str) -> None:
        script = tmp_path / "decoder.py"
        body = textwrap.indent(textwrap.dedent(code), "    ")
        script.write_text(
            "import os, signal, sys, time\n"
            f"sys.path.insert(0, {PROJECT!r})\n"
            "import numpy as np\n"
            "from components.imaging import decoder_process\n"
            f"def decode(packed):\n{body}\n"
            "decoder_process.serve({decoder_process.JPEG_LOSSLESS: decode})\n"
        )
        monkeypatch.setattr(decoder, "COMMAND", [sys.executable, str(script)])

    return replace


ZEROS = "return np.zeros((40, 50), np.uint16)"
FAULT = "the DICOM file's compressed image cannot be decoded: its decoder "


def outcome(file) -> str:
    return refused(file(LOSSLESS, uid.JPEGLossless))


@pytest.mark.medium
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.abort()", FAULT + "crashed (SIGABRT)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", FAULT + "crashed (SIGSEGV)"),
        ("os._exit(3)", FAULT + "ended with code 3"),
        ("while True: pass", FAULT + "took too long"),
        (
            "np.ones(3 * 1024**3, np.uint8)",
            "the DICOM file's compressed image needs more memory to decode than any sho",
        ),
        ("raise RuntimeError('corrupt')", DAMAGED),
        ("return np.zeros((50, 40), np.uint16)", DAMAGED),
        ("return np.zeros((40, 50), np.uint8)", DAMAGED),
        ("return np.zeros((40, 50, 3), np.uint16)", DAMAGED),
    ],
)
def test_a_decoder_that_fails_costs_one_file(file, stand_in, monkeypatch, code, reason):
    stand_in(code)
    assert outcome(file).startswith(reason)
    monkeypatch.undo()
    decoder.close()
    assert (shown(file(LOSSLESS, uid.JPEGLossless)) == GREY).all()


def test_a_decoder_that_hangs_without_computing_is_ended(file, stand_in, monkeypatch):
    stand_in("time.sleep(60)")
    monkeypatch.setattr(decoder, "MAX_SECONDS", 0.5)
    began = time.monotonic()
    assert outcome(file) == FAULT + "took too long"
    assert time.monotonic() - began < 10
    assert not decoder._idle


@pytest.mark.usefixtures("own_process")
def test_a_decoder_that_ends_while_it_is_sent_a_large_image_costs_that_image(monkeypatch):
    monkeypatch.setattr(decoder, "COMMAND", [sys.executable, "-c", "pass"])
    with pytest.raises(UnusableError, match="its decoder ended with code 0"):
        decoder.decode(decoder_process.JPEG_LS, bytes(10**7), 40, 50, 2)


def test_a_decoder_that_crashed_leaves_no_core_and_gets_no_credentials(file, stand_in, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    stand_in("""
        import resource
        os._exit(7 if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) and "secret" not in os.environ.values() else 8)
    """)
    assert outcome(file) == FAULT + "ended with code 7"


def test_what_a_decoder_prints_is_no_answer(file, stand_in):
    stand_in(f"print('a word'); os.system('echo a word'); {ZEROS}")
    assert outcome(file) == "the image shows nothing: all of it has one grey value"


@pytest.mark.usefixtures("own_process")
def test_one_process_decodes_image_after_image():
    jpeg_lossless.decode(LOSSLESS)
    (process,) = decoder._idle
    for _ in range(3):
        jpeg_lossless.decode(LS)
        assert decoder._idle == [process]


@pytest.mark.usefixtures("own_process")
def test_a_process_that_ended_while_it_waited_is_replaced():
    jpeg_lossless.decode(LOSSLESS)
    (process,) = decoder._idle
    process.kill()
    process.wait()
    assert (jpeg_lossless.decode(LOSSLESS) == RAMP).all()


@pytest.mark.medium
@pytest.mark.usefixtures("own_process")
def test_threads_decode_at_once_each_with_its_own_process():
    together = threading.Barrier(4)

    def decode(number: int) -> bool:
        image = RAMP + np.uint16(number)
        frame = jpeg_ls(image, 13)
        together.wait(60)
        return bool((jpeg_lossless.decode(frame) == image).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(decode, range(40)))
    assert 2 <= len(decoder._idle) <= 4


def test_the_process_imports_nothing_that_is_slow():
    path = decoder_process.__file__
    code = f"import runpy, sys; runpy.run_path({path!r}, run_name='__main__'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    modules = set(done.stderr.split())  # what is printed goes there
    assert "imagecodecs" in modules
    assert not {"components", "pandas", "scipy", "tensorflow", "pydicom", "PIL"} & modules


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), 9)"], ids=["ends", "is killed"])
def test_waiting_processes_end_when_the_one_that_started_them(end):
    code = f"""
import os, sys
sys.path.insert(0, {PROJECT!r})
from components.imaging import decoder, decoder_process, jpeg_lossless
jpeg_lossless.decode({LS!r})
print(decoder._idle[0].pid, flush=True)
{end}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    status = ["ps", "-o", "stat=", "-p", done.stdout.strip()]
    deadline = time.monotonic() + 20
    while subprocess.run(status, capture_output=True, text=True, check=False).stdout.strip("\nZ+<s"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
