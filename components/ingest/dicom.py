"""Reads a radiograph out of a DICOM file (https://www.dicomstandard.org), as a viewer would show it.

Pixels and PatientID are all that is taken; nothing else of the file is kept, and no message quotes from it.
"""

import io
import logging
import warnings
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom import uid
from pydicom.filereader import read_dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array

SYNTAXES = (
    *(uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless),
    *(uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEG2000Lossless, uid.JPEG2000),
)
"""Transfer syntaxes that pydicom decodes by itself or with Pillow. JPEG Lossless and JPEG-LS need one of two libraries:
one has a licence (GPL) that this project's users may not want, the other a long record of faults with hostile files."""

_PREAMBLE = 128
_TAGS = [
    *("PatientID", "IssuerOfPatientID", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("NumberOfFrames", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("PixelPaddingValue", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth"),
    *("VOILUTFunction", "VOILUTSequence", "PixelData"),
]
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_PERCENTILES = (0.5, 99.5)
"""Where a file has no window, these percentiles become black and white: a collimator's edge or a marker is less."""

# pydicom's own remarks on odd files quote what stands in them, names included.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module="pydicom")


def is_dicom(content: bytes) -> bool:
    """Says whether a file's content begins as DICOM files do."""
    return content[_PREAMBLE : _PREAMBLE + 4] == b"DICM"


def read(content: bytes, max_pixels: int) -> tuple[np.ndarray, str]:
    """Decodes a DICOM file into what a viewer shows.

    The stored values pass the modality's rescaling or table and the first window or table of interest (without one,
    the 0.5th to 99.5th percentile), are inverted where the file says that low values are white, and become 8 bits: all
    that a display shows, and all that the networks get.

    Args:
        content: the file.
        max_pixels: an image that declares more is refused before anything is decoded.

    Returns:
        uint8 (height, width), and the PatientID with its issuer, "" where the file has none.

    Raises:
        ValueError: the file cannot be used; the message says why and names nobody.
    """
    try:
        dataset = _parse(content)
        _check(dataset, max_pixels)
        return _shown(dataset), _patient_id(dataset)
    except _UnusableError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # on damaged files pydicom raises nearly anything
        raise ValueError(f"the DICOM file is damaged ({type(error).__name__})") from None


class _UnusableError(Exception):
    """The file cannot be used, for the reason given."""


def _parse(content: bytes) -> pydicom.Dataset:
    """Reads the tags that are needed, after a look at how the file is packed."""
    stream = io.BytesIO(content)
    stream.seek(_PREAMBLE + 4)
    meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag >> 16 != 2)
    syntax = uid.UID(meta.get("TransferSyntaxUID", ""))
    if syntax not in SYNTAXES:
        # A deflated file would be inflated whole, to whatever size, just to be looked at.
        raise _UnusableError(
            f"its DICOM transfer syntax is {_name(syntax)}, which is not read here: convert it to "
            "Explicit VR Little Endian, for example with gdcmconv --raw"
        )
    return pydicom.dcmread(io.BytesIO(content), specific_tags=_TAGS)


def _name(syntax: uid.UID) -> str:
    return syntax.name if syntax.is_transfer_syntax else "unknown"


def _check(dataset: pydicom.Dataset, max_pixels: int) -> None:
    """Refuses what is no single radiograph of a sensible size, by what the file declares."""
    if "PixelData" not in dataset:
        raise _UnusableError("the DICOM file has no image")
    if (frames := int(dataset.get("NumberOfFrames") or 1)) != 1:
        raise _UnusableError(f"the DICOM file has {frames} pictures, and which one the label is for is not known")
    rows, columns, samples = (int(dataset[tag].value) for tag in ("Rows", "Columns", "SamplesPerPixel"))
    if rows * columns > max_pixels:
        raise _UnusableError(f"the image has {columns} x {rows} pixels, more than {max_pixels}")
    kind = str(dataset.PhotometricInterpretation)
    if (samples, kind) not in [*((1, grey) for grey in _GREY), *((3, colour) for colour in _COLOUR)]:
        known = kind if kind.replace("_", "").replace(" ", "").isalnum() and len(kind) <= 16 else "unknown"
        raise _UnusableError(f"its DICOM photometric interpretation is {known}: known are {', '.join(_GREY)}, RGB, YBR")
    if dataset.BitsAllocated not in (8, 16, 32) or (samples == 3 and dataset.BitsAllocated != 8):
        raise _UnusableError("its DICOM pixels have a number of bits that is not read here (8, 16 or 32, colours 8)")
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        _check_compressed(dataset, rows, columns, rows * columns * samples * dataset.BitsAllocated // 8)


def _check_compressed(dataset: pydicom.Dataset, rows: int, columns: int, size: int) -> None:
    """Refuses a compressed image that would unpack to something else than the file declares."""
    packed = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    if len(packed) > 2 * size + 65_536:
        raise _UnusableError("the DICOM file's compressed image is larger than the image it declares")
    if dataset.file_meta.TransferSyntaxUID != uid.RLELossless:
        with Image.open(io.BytesIO(packed), formats=("JPEG", "JPEG2000")) as image:
            if image.size != (columns, rows):
                raise _UnusableError("the DICOM file's compressed image has another size than the file declares")


def _shown(dataset: pydicom.Dataset) -> np.ndarray:
    """uint8 (height, width): the image as a viewer shows it."""
    stored = pixel_array(dataset)
    if stored.ndim == 3:
        return np.asarray(Image.fromarray(stored).convert("L"))
    values = np.asarray(apply_modality_lut(stored, dataset), np.float32)
    padding = dataset.get("PixelPaddingValue")
    outside = np.zeros(stored.shape, bool) if padding is None else stored == padding
    if dataset.get("VOILUTSequence"):
        table = apply_voi_lut(values.astype(np.int64), dataset, prefer_lut=True)
        share = table / (2.0 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    elif dataset.get("WindowWidth") is not None and dataset.get("WindowCenter") is not None:
        centre, width = (_first(dataset[tag].value) for tag in ("WindowCenter", "WindowWidth"))
        share = _window(values, centre, width, str(dataset.get("VOILUTFunction") or "LINEAR"))
    else:
        if outside.all():
            raise _UnusableError("the DICOM image is nothing but padding")
        low, high = np.percentile(values[~outside], _PERCENTILES)
        share = (values - low) / max(high - low, 1e-6)
    if not np.isfinite(share).all():
        raise _UnusableError("its DICOM rescaling or window is not a number")
    share = np.clip(share, 0, 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        share = 1 - share
    share[outside] = 0
    return np.round(255 * share).astype(np.uint8)


def _window(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """From 0 (black) to 1 (white) across a window of interest (DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3)."""
    if not (np.isfinite(centre) and np.isfinite(width) and width >= (1 if function == "LINEAR" else 1e-6)):
        raise _UnusableError("its DICOM window has no width")
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -50, 50)))
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    if function != "LINEAR":
        raise _UnusableError("its DICOM window has a function other than LINEAR, LINEAR_EXACT and SIGMOID")
    return (values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5


def _first(value: Any) -> float:
    """A number, or the first of several (a file may offer several windows)."""
    return float(value[0] if isinstance(value, pydicom.multival.MultiValue) else value)


def _patient_id(dataset: pydicom.Dataset) -> str:
    """PatientID and who issued it; equal numbers of two hospitals are two patients."""
    patient = str(dataset.get("PatientID") or "").strip()
    return f"{str(dataset.get('IssuerOfPatientID') or '').strip()}\n{patient}" if patient else ""
