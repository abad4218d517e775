"""DICOM files made on the spot."""

import io

import numpy as np
import pydicom
from pydicom import uid


def make_dicom(pixels: np.ndarray, syntax: uid.UID = uid.ExplicitVRLittleEndian, **tags) -> bytes:
    """A DICOM file of `pixels` (unsigned or signed, grey or RGB) with further or other tags; None leaves one out."""
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = uid.DigitalXRayImageStorageForPresentation
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.file_meta.TransferSyntaxUID = syntax
    bits = 8 * pixels.dtype.itemsize
    values = {
        **{"SOPClassUID": uid.DigitalXRayImageStorageForPresentation, "SOPInstanceUID": "1.2.3"},
        **{"PatientName": "Doe^Jane", "PatientID": "4711", "PatientBirthDate": "20190101"},
        **{"SamplesPerPixel": 1 if pixels.ndim == 2 else 3, "Rows": pixels.shape[0], "Columns": pixels.shape[1]},
        **{"PhotometricInterpretation": "MONOCHROME2" if pixels.ndim == 2 else "RGB"},
        **{"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1},
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
        **({} if pixels.ndim == 2 else {"PlanarConfiguration": 0}),
    }
    for name, value in (values | tags).items():
        if value is not None and name != "PixelData":
            setattr(dataset, name, value)
    little = syntax != uid.ExplicitVRBigEndian
    content = tags.get("PixelData", pixels.astype(pixels.dtype.newbyteorder("<" if little else ">")).tobytes())
    if content is not None:
        dataset.PixelData = content
        dataset["PixelData"].VR = "OW" if bits > 8 and not syntax.is_compressed else "OB"
        dataset["PixelData"].is_undefined_length = syntax.is_compressed and not syntax.is_deflated
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
