"""An encoder of JPEG Lossless (ITU-T T.81, annex H), written from the standard: what the decoder has to undo."""

import numpy as np

EOI = b"\xff\xd9"


def jpeg_lossless(
    pixels: np.ndarray,
    precision: int,
    predictor: int = 1,
    *,
    point: int = 0,
    interval: int = 0,
    codes: tuple[int, ...] = (5,) * 17,
    before: bytes = b"",
) -> bytes:
    """Compresses a grey image.

    Args:
        pixels: integers (height, width); those with a sign become words of `precision` bits.
        precision: bits a pixel that the header declares.
        predictor: 1 to 7 (table H.1).
        point: lowest bits left out (the point transform).
        interval: rows to a restart interval, 0 for none.
        codes: lengths of the Huffman codes of the differences of 0 to 16 bits.
        before: segments that come first.
    """
    words = (pixels.astype(np.int64) & ((1 << precision) - 1)) >> point
    rows, columns = words.shape
    order = sorted(range(17), key=lambda value: (codes[value], value))
    table = bytes(codes.count(length) for length in range(1, 17)) + bytes(order)
    huffman, code, last = {}, 0, codes[order[0]]
    for value in order:
        code <<= codes[value] - last
        huffman[value], last = format(code, f"0{codes[value]}b"), codes[value]
        code += 1
    assert code < 1 << last, "the code of nothing but ones is reserved"
    scan, starts = b"", range(0, rows, interval or rows)
    for number, start in enumerate(starts):
        part = words[start : start + (interval or rows)]
        bits = "".join(map(_coded, _differences(part, precision - point, predictor).ravel(), [huffman] * part.size))
        bits += "1" * (-len(bits) % 8)
        scan += int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
        if start != starts[-1]:
            scan += bytes((0xFF, 0xD0 + number % 8))
    frame = bytes((precision,)) + rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + b"\1\1\x11\0"
    header = segment(0xC4, b"\0" + table) + segment(0xC3, frame)
    if interval:
        header += segment(0xDD, (interval * columns).to_bytes(2, "big"))
    return b"\xff\xd8" + before + header + segment(0xDA, bytes((1, 1, 0, predictor, 0, point))) + scan + EOI


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG header."""
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content


def _differences(words: np.ndarray, bits: int, predictor: int) -> np.ndarray:
    """Each pixel less what its neighbours predict, modulo 65,536."""
    left, above, corner = np.zeros_like(words), np.zeros_like(words), np.zeros_like(words)
    left[:, 1:], above[1:], corner[1:, 1:] = words[:, :-1], words[:-1], words[:-1, :-1]
    predicted = {
        1: left,
        2: above,
        3: corner,
        4: left + above - corner,
        5: left + ((above - corner) >> 1),
        6: above + ((left - corner) >> 1),
        7: (left + above) >> 1,
    }[predictor]
    predicted[0], predicted[:, 0] = left[0], above[:, 0]
    predicted[0, 0] = 1 << (bits - 1)
    return (words - predicted) & 0xFFFF


def _coded(difference: int, huffman: dict[int, str]) -> str:
    """One difference: the code of its number of bits, then those bits (tables H.2 and F.1)."""
    signed = int(difference) - (65_536 if difference > 32_768 else 0)
    size = abs(signed).bit_length()
    if size in (0, 16):  # 32,768 has no bits
        return huffman[size]
    return huffman[size] + format(signed + (signed < 0) * ((1 << size) - 1), f"0{size}b")
