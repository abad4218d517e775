"""TIFF files made by hand, since Pillow writes fewer kinds than it reads."""

import struct
from collections.abc import Sequence

import numpy as np

SIZE = 64
RAMP = np.tile(np.arange(SIZE) / (SIZE - 1), (SIZE, 1))
"""Shares of white, from 0 on the left to 1 on the right."""


def write_tiff(data: bytes, tags: dict[int, Sequence[int]], order: str = "<", size: int = SIZE) -> bytes:
    """A TIFF of size x size pixels in one strip, uncompressed; all tags but the strip's are the caller's."""
    strip = {256: [size], 257: [size], 259: [1], 273: [8], 278: [size], 279: [len(data)]}
    entries = sorted((strip | {tag: list(values) for tag, values in tags.items()}).items())
    beyond = 8 + len(data) + 2 + 12 * len(entries) + 4
    directory, extra = struct.pack(order + "H", len(entries)), b""
    for tag, values in entries:
        kind, code = (4, "L") if tag in (273, 279) else (3, "H")
        packed = struct.pack(order + code * len(values), *values)
        if len(packed) > 4:
            packed, extra = struct.pack(order + "L", beyond + len(extra)), extra + packed
        directory += struct.pack(order + "HHL", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "L", 8 + len(data))
    return head + data + directory + bytes(4) + extra


def grey_tiff(values: np.ndarray, photometric: int | None = 1, order: str = "<", **more: Sequence[int]) -> bytes:
    """A TIFF of the integers or floats `values`; `photometric` 0 says that 0 is white."""
    kinds = {"u": 1, "i": 2, "f": 3}
    tags = {258: [8 * values.dtype.itemsize], 277: [1], 339: [kinds[values.dtype.kind]]}
    if photometric is not None:
        tags[262] = [photometric]
    more_tags = {int(name.removeprefix("tag")): value for name, value in more.items()}
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    return write_tiff(data, tags | more_tags, order, len(values))


def ramp_tiff(order: str, photometric: int, kind: int, fill: int, bits: Sequence[int], extras: Sequence[int]) -> bytes:
    """A TIFF of `RAMP` in the kind that TIFF's tags describe so; unused samples hold noise, opacity is whole."""
    largest = [(1 << number) - 1 for number in bits]
    noise = np.random.default_rng(0).random(RAMP.shape)
    ink = {0: [1 - RAMP], 5: [0 * RAMP] * 3 + [1 - RAMP], 6: [RAMP, 0 * RAMP + 128 / 255, 0 * RAMP + 128 / 255]}
    planes = ink.get(
        photometric if len(bits) > 1 or not photometric else 1, [RAMP] * (3 if photometric in (2, 8) else 1)
    )
    planes = planes + [0 * RAMP + 1 if extra in (1, 2, 999) else noise for extra in extras]
    planes += [0 * RAMP + 1] * (len(bits) - len(planes))  # a further sample that no tag explains is opacity
    samples = np.stack([np.round(plane * top) for plane, top in zip(planes, largest, strict=True)], axis=-1)
    if kind == 3:
        data = samples.astype(f"{order}f{bits[0] // 8}").tobytes()
    elif bits[0] % 8 == 0:
        signed = samples.astype(np.int64) - (largest[0] + 1) // 2 * (kind == 2)
        data = signed.astype(f"{order}{'i' if kind == 2 else 'u'}{bits[0] // 8}").tobytes()
    else:
        shifts = np.arange(bits[0] - 1, -1, -1)
        data = np.packbits((samples.reshape(SIZE, -1, 1).astype(int) >> shifts & 1).reshape(SIZE, -1), axis=1).tobytes()
    if fill == 2:
        data = np.packbits(np.unpackbits(np.frombuffer(data, np.uint8)), bitorder="little").tobytes()
    tags = {258: bits, 262: [photometric], 266: [fill], 277: [len(bits)], 339: [kind] * len(bits)}
    if extras:
        tags[338] = extras
    if photometric == 3:
        tags[320] = [round(65_535 * entry / largest[0]) for entry in range(largest[0] + 1)] * 3
    if photometric == 6:
        tags[530] = [1, 1]
    return write_tiff(data, tags, order)
