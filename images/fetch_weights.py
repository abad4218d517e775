"""Puts Keras's ImageNet weights into an image while it is built: python fetch_weights.py FOLDER BACKBONE...

Files that are in the folder already are checked and kept. Where the weights cannot be reached, the image is built
without them, and one line says so.
"""

import os
import sys
import tempfile
from pathlib import Path

SIZES = {"MobileNetV2": (96, 128, 160, 192, 224)}
"""Keras has MobileNetV2's weights by image size (px); the others have one file for all sizes."""


def fetch(folder: Path, backbones: list[str]) -> None:
    """Downloads what is missing.

    Args:
        folder: where the files are to be, under Keras's own names.
        backbones: names of networks in keras.applications.
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
                        f"The ImageNet weights of {name} cannot be reached ({error}): the image carries no more than "
                        "what is listed here. Pods without internet then need --weights with a file, or none."
                    )
                    return


def main() -> None:
    """Reads the command line, fetches, lists what the folder holds."""
    folder = Path(sys.argv[1])
    fetch(folder, sys.argv[2:])
    files = sorted(path for path in folder.iterdir() if path.suffix in (".h5", ".keras"))
    for path in files:
        print(f"{path.stat().st_size / 1e6:6.1f} MB  {path.name}")
    print(f"{len(files)} files of pre-trained weights in {folder}")


if __name__ == "__main__":
    main()
