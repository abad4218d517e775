"""Reads a radiograph out of a DICOM file (https://www.dicomstandard.org), as a viewer would show it.

Only pixels, PatientID and the coarse groups of `dicom_groups` are read; nothing else of the file is kept, and messages
do not quote from it.
"""

import io
import zlib
from typing import Any, NamedTuple

import numpy as np
import pydicom
from PIL import Image
from pydicom import uid
from pydicom.filereader import read_dataset
from pydicom.pixels import pixel_array
from pydicom.tag import Tag
from pydicom.valuerep import VR

from components.artifacts.raw_dataset import BLANK
from components.imaging import dicom_groups, dicom_shown, dicom_stored, jpeg_lossless
from components.imaging import dicom_tags as tags
from components.imaging.dicom_tags import UnusableError

SYNTAXES = (
    *(uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless),
    *(uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEG2000Lossless, uid.JPEG2000),
    *jpeg_lossless.SYNTAXES,
)
"""Transfer syntaxes that are read: pydicom decodes them by itself or with Pillow, `jpeg_lossless` those of its own.
Deflated files are read besides."""

MAX_INFLATED_BYTES = 250_000_000
"""A deflated data set that holds more is refused: the largest image allowed has 200 MB at 16 bits a pixel."""

_PREAMBLE = 128
_PIXEL_DATA = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
_TAGS: list[Any] = [
    *("PatientID", "IssuerOfPatientID", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *dicom_groups.TAGS,
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence", "PixelData", *dicom_stored.OVERLAY_POSITIONS),
]
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def is_dicom(content: bytes) -> bool:
    """Whether a file begins like a DICOM file, or is a DICOM data set with an image but without preamble."""
    return content[_PREAMBLE : _PREAMBLE + 4] == b"DICM" or _start(content) is not None


def _start(content: bytes) -> int | None:
    """Position at which a data set without preamble begins; None if there is none."""
    start = 4 if content[:4] == b"DICM" else 0
    group, kind, length = content[start : start + 2], content[start + 4 : start + 6], content[start + 4 : start + 8]
    if group not in (b"\x02\x00", b"\x08\x00", b"\x00\x08") or not any(tag in content for tag in _PIXEL_DATA):
        return None
    # After its tag, an element has two letters for its value representation, or its length.
    known = kind.decode("latin-1") in tuple(VR)
    return start if known or int.from_bytes(length, "little") < min(len(content), 1024) else None


class Radiograph(NamedTuple):
    """What is read of a DICOM file.

    Attributes:
        pixels: uint8 (height, width).
        patient_id: the PatientID with its issuer, "" where the file has none.
        groups: coarse groups of patient and image, see `dicom_groups.groups`.
    """

    pixels: np.ndarray
    patient_id: str
    groups: dict[str, str]


def read(content: bytes, max_pixels: int) -> tuple[np.ndarray, str]:
    """The pixels and the patient of `radiograph`."""
    found = radiograph(content, max_pixels)
    return found.pixels, found.patient_id


def radiograph(content: bytes, max_pixels: int) -> Radiograph:
    """Decodes a DICOM file into what a viewer shows, and reads whose it is.

    The stored values pass the modality's rescaling or table and the first window or table of interest (without one,
    the 0.5th to 99.5th percentile), are inverted where the file says that low values are white, and become 8 bits: all
    that a display shows, and all that the networks get. Optional tags that are empty or no numbers count as absent.

    Args:
        content: the file.
        max_pixels: an image that declares more is refused before anything is decoded.

    Raises:
        ValueError: the file cannot be used; the message says why and names nobody.
    """
    try:
        dataset = _parse(content)
        _check(dataset, max_pixels)
        return Radiograph(_shown(dataset), _patient_id(dataset), dicom_groups.groups(dataset))
    except UnusableError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # on damaged files pydicom raises nearly anything
        raise ValueError(f"the DICOM file is damaged ({type(error).__name__})") from None


def _parse(content: bytes) -> pydicom.Dataset:
    """Reads the tags that are needed, after a look at how the file is packed."""
    if content[_PREAMBLE : _PREAMBLE + 4] != b"DICM":
        content = bytes(_PREAMBLE) + b"DICM" + content[_start(content) or 0 :]
    stream = io.BytesIO(content)
    stream.seek(_PREAMBLE + 4)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    syntax = uid.UID(meta.get("TransferSyntaxUID") or "")
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        return _parse(bytes(_PREAMBLE) + b"DICM" + _inflated(content, meta))
    if syntax and syntax not in SYNTAXES:
        raise UnusableError(
            f"its DICOM transfer syntax is {_name(syntax)}, which is not read here: convert it to "
            "Explicit VR Little Endian, for example with gdcmconv --raw"
        )
    dataset = pydicom.dcmread(io.BytesIO(content), specific_tags=[Tag(tag) for tag in _TAGS])
    if not syntax:
        if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
            raise UnusableError("its DICOM transfer syntax is unknown: the image is compressed, and no tag says how")
        implicit, little = dataset.original_encoding
        explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _inflated(content: bytes, meta: pydicom.Dataset) -> bytes:
    """The data set of a deflated file (PS3.5, A.5), which is uncompressed inside.

    pydicom would inflate it whole, to whatever size, just to look at it.
    """
    start = _PREAMBLE + 4 + 12 + int(meta.FileMetaInformationGroupLength)  # the length is an element of 12 bytes
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    dataset = inflater.decompress(content[start:], MAX_INFLATED_BYTES)
    if inflater.unconsumed_tail:
        raise UnusableError(f"its data set is larger than {MAX_INFLATED_BYTES // 10**6} MB when inflated")
    if not inflater.eof:
        raise UnusableError("its data set is deflated and ends too early")
    return dataset


def _name(syntax: uid.UID) -> str:
    return syntax.name if syntax.is_transfer_syntax else "unknown"


def _check(dataset: pydicom.Dataset, max_pixels: int) -> None:
    """Checks by its tags that the file is a single radiograph of a plausible size.

    Raises:
        UnusableError: it is not.
    """
    if "PixelData" not in dataset:
        raise UnusableError("the DICOM file has no image")
    if (frames := tags.integer(dataset, "NumberOfFrames") or 1) != 1:
        raise UnusableError(f"the DICOM file has {frames} pictures, and which one the label is for is not known")
    rows, columns, samples = (int(dataset[tag].value) for tag in ("Rows", "Columns", "SamplesPerPixel"))
    if rows * columns > max_pixels:
        raise UnusableError(f"the image has {columns} x {rows} pixels, more than {max_pixels}")
    if not rows * columns:
        raise UnusableError("the image has no pixels")
    kind = dataset.PhotometricInterpretation = tags.text(dataset, "PhotometricInterpretation")
    if (samples, kind) not in [*((1, grey) for grey in _GREY), *((3, colour) for colour in _COLOUR)]:
        known = kind if kind.replace("_", "").replace(" ", "").isalnum() and len(kind) <= 16 else "unknown"
        raise UnusableError(
            f"its DICOM photometric interpretation is {known}: known are {', '.join(_GREY)}, RGB, YBR"
            + (f", of which none has {samples} values a pixel" if kind in (*_GREY, *_COLOUR) else "")
        )
    if dataset.BitsAllocated not in (8, 16, 32) or (samples == 3 and dataset.BitsAllocated != 8):
        raise UnusableError("its DICOM pixels have a number of bits that is not read here (8, 16 or 32, colours 8)")
    dicom_stored.check_declared(dataset)
    for tag, usual in (("NumberOfFrames", 1), ("PlanarConfiguration", 0)):
        setattr(dataset, tag, tags.integer(dataset, tag) or usual)
    _, dataset.BitsStored, dataset.HighBit = dicom_stored.layout(dataset)
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        _check_compressed(dataset, rows, columns, rows * columns * samples * dataset.BitsAllocated // 8)


def _check_compressed(dataset: pydicom.Dataset, rows: int, columns: int, size: int) -> None:
    """Checks that a compressed image unpacks to what the file declares.

    Raises:
        UnusableError: it does not.
    """
    packed = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    if len(packed) > 2 * size + 65_536:
        raise UnusableError("the DICOM file's compressed image is larger than the image it declares")
    if dataset.file_meta.TransferSyntaxUID == uid.RLELossless:
        segments, declared = int.from_bytes(packed[:4], "little"), size // (rows * columns)
        if segments != declared:
            raise UnusableError(
                f"its DICOM run lengths have {segments} bytes a pixel where the file declares {declared}"
            )
        return
    if dataset.file_meta.TransferSyntaxUID in jpeg_lossless.SYNTAXES:
        jpeg_lossless.check(dataset, packed)
        return
    with Image.open(io.BytesIO(packed), formats=("JPEG", "JPEG2000")) as image:
        if image.size != (columns, rows):
            raise UnusableError("the DICOM file's compressed image has another size than the file declares")
        if (image.mode in ("RGB", "YCbCr")) != (dataset.SamplesPerPixel == 3) or image.mode in ("LA", "RGBA", "CMYK"):
            raise UnusableError("the DICOM file's compressed image has other colours than the file declares")
        if image.format == "JPEG2000" and dataset.SamplesPerPixel == 3:
            _settle_colours(dataset, packed)


def _settle_colours(dataset: pydicom.Dataset, packed: bytes) -> None:
    """Takes from the JPEG 2000 image whether its colours were transformed, which some files declare wrongly."""
    start = packed.find(b"\xff\x52")  # coding style: length 2, style 1, progression 1, layers 2, transformation 1 byte
    transformed = start >= 0 and packed[start + 8 : start + 9] == b"\x01"
    if transformed:
        dataset.PhotometricInterpretation = "YBR_RCT"  # the decoder has undone it, whichever of the two it is
    elif dataset.PhotometricInterpretation in ("YBR_RCT", "YBR_ICT"):
        raise UnusableError("the DICOM file's compressed image has other colours than the file declares")


def _shown(dataset: pydicom.Dataset) -> np.ndarray:
    """uint8 (height, width): the image as a viewer shows it."""
    if dataset.SamplesPerPixel == 1:
        return dicom_shown.show(dicom_stored.read(dataset), dataset)
    shown = np.asarray(Image.fromarray(pixel_array(dataset, allow_excess_frames=False)).convert("L"))
    if shown.min() == shown.max():
        raise UnusableError(BLANK)
    return shown


def _patient_id(dataset: pydicom.Dataset) -> str:
    """PatientID with its issuer, since equal numbers of two hospitals are two patients."""
    patient = tags.text(dataset, "PatientID")
    return f"{tags.text(dataset, 'IssuerOfPatientID')}\n{patient}" if patient else ""
