"""Image files: formats, DICOM, decoding, resizing, and heat maps on images."""
