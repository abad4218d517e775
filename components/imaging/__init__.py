"""From a file to pixels: formats, DICOM, decoding, resizing, and heat maps laid over images."""
