"""Downloads Keras's ImageNet weights while an image is built: python fetch_weights.py FOLDER BACKBONE...

Files that are already in the folder are checked and kept. If the weights cannot be downloaded, the image is built
without them, and a line says so.
"""

import os
import sys
import tempfile
from pathlib import Path

SIZES = {"MobileNetV2": (96, 128, 160, 192, 224)}
"""Keras has one file of MobileNetV2's weights per image size (px); the other networks have one for all sizes."""


def fetch(folder: Path, backbones: list[str]) -> None:
    """Downloads missing weights files.

    Args:
        folder: of the files, which keep Keras's names.
        backbones: names of networks in `keras.applications`.
    """
    with tempfile.TemporaryDirectory() as home:
        Path(home, "models").symlink_to(folder.resolve())
        os.environ["KERAS_HOME"] = home
        import keras  # noqa: PLC0415 (reads KERAS_HOME when it is imported)

        for name in backbones:
            for size in SIZES.get(name, (224,)):
                build = getattr(keras.applications, name)
                try:
                    build(weights="imagenet", include_top=False, input_shape=(size, size, 3))
                except Exception as error:
                    print(
                        f"The ImageNet weights of {name} cannot be downloaded ({error}): the image has only the files "
                        "listed here. Pods without internet access then need --weights FILE or --weights none."
                    )
                    return


def main() -> None:
    """Reads the command line, downloads the weights, and lists the files in the folder."""
    folder = Path(sys.argv[1])
    fetch(folder, sys.argv[2:])
    files = sorted(path for path in folder.iterdir() if path.suffix in (".h5", ".keras"))
    for path in files:
        print(f"{path.stat().st_size / 1e6:6.1f} MB  {path.name}")
    print(f"{len(files)} files of pre-trained weights in {folder}")


if __name__ == "__main__":
    main()
