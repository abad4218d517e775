"""Encoders of JPEG Lossless (ITU-T T.81, annex H) and JPEG-LS (T.87), written from the standards.

They share nothing with the decoders that are tested, and write every predictor and every number of bits.
"""

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


RUNS = [*[0] * 4, *[1] * 4, *[2] * 4, *[3] * 4, 4, 4, 5, 5, 6, 6, 7, 7, *range(8, 16)]
"""Table J of T.87, A.2.1."""


def jpeg_ls(pixels: np.ndarray, precision: int, near: int = 0, *, before: bytes = b"") -> bytes:
    """Compresses a grey image.

    Args:
        pixels: integers (height, width); those with a sign become words of `precision` bits.
        precision: bits a pixel.
        near: by how much a pixel may come out different.
        before: segments that come first.
    """
    words = pixels.astype(np.int64) & ((1 << precision) - 1)
    size = words.shape[0].to_bytes(2, "big") + words.shape[1].to_bytes(2, "big")
    header = segment(0xF7, bytes((precision,)) + size + b"\1\1\x11\0") + segment(0xDA, bytes((1, 1, 0, near, 0, 0)))
    bits, scan, place = _Scan(precision, near).coded(words.tolist()), bytearray(), 0
    while place < len(bits):
        width = 7 if scan[-1:] == b"\xff" else 8
        scan.append(int(bits[place : place + width].ljust(width, "0"), 2))
        place += width
    return b"\xff\xd8" + before + header + bytes(scan) + b"\0" * scan.endswith(b"\xff") + EOI


def as_restored(pixels: np.ndarray, precision: int, near: int) -> np.ndarray:
    """What comes out of `jpeg_ls`: integers without a sign."""
    scan = _Scan(precision, near)
    scan.coded((pixels.astype(np.int64) & ((1 << precision) - 1)).tolist())
    return np.array(scan.restored)


class _Scan:
    """The variables of T.87, A.2 to A.7, under their names there."""

    def __init__(self, precision: int, near: int):
        self.near, self.maxval, step = near, (1 << precision) - 1, 2 * near + 1
        self.range = (self.maxval + 2 * near) // step + 1
        self.qbpp = (self.range - 1).bit_length()
        self.limit = 2 * (max(2, precision) + max(8, precision))
        if self.maxval >= 128:
            factor = (min(self.maxval, 4095) + 128) // 256
            basic = factor + 2 + 3 * near, 4 * factor + 3 + 5 * near, 17 * factor + 4 + 7 * near
        else:
            factor = 256 // (self.maxval + 1)
            basic = max(2, 3 // factor + 3 * near), max(3, 7 // factor + 5 * near), max(4, 21 // factor + 7 * near)
        self.thresholds: list[int] = []
        for value in basic:
            least = max([near + 1, *self.thresholds])
            self.thresholds.append(value if least <= value <= self.maxval else least)
        self.a = [max(2, (self.range + 32) // 64)] * 367
        self.n, self.b, self.c = [1] * 367, [0] * 367, [0] * 367
        self.negative = [0] * 367
        self.run_index = 0
        self.bits: list[str] = []
        self.restored: list[list[int]] = []

    def coded(self, image: list[list[int]]) -> str:
        """The image's bits."""
        width = len(image[0])
        above = [0] * (width + 2)
        for row in image:
            line = [above[1]] + [0] * width  # the pixel left of the first is the one above it
            above[-1] = above[-2]
            x = 1
            while x <= width:
                ra, rb, rc, rd = line[x - 1], above[x], above[x - 1], above[x + 1]
                gradients = rd - rb, rb - rc, rc - ra
                if all(abs(gradient) <= self.near for gradient in gradients):
                    x = self._run(row, line, above, x)
                else:
                    line[x] = self._regular(row[x - 1], ra, rb, rc, gradients)
                    x += 1
            self.restored.append(line[1:])
            above = [*line, 0]
        return "".join(self.bits)

    def _regular(self, pixel: int, ra: int, rb: int, rc: int, gradients: tuple[int, ...]) -> int:
        q = 0
        for gradient in gradients:
            size = sum(abs(gradient) >= threshold for threshold in self.thresholds) + (abs(gradient) > self.near)
            q = 9 * q + (size if gradient > 0 else -size)
        sign, q = (-1, -q) if q < 0 else (1, q)
        predicted = min(ra, rb) if rc >= max(ra, rb) else max(ra, rb) if rc <= min(ra, rb) else ra + rb - rc
        predicted = min(max(predicted + sign * self.c[q], 0), self.maxval)
        error, restored = self._error(pixel, predicted, sign)
        k = self._k(q, self.a[q])
        if not self.near and not k and 2 * self.b[q] <= -self.n[q]:
            mapped = 2 * error + 1 if error >= 0 else -2 * (error + 1)
        else:
            mapped = 2 * error if error >= 0 else -2 * error - 1
        self._golomb(mapped, k, self.limit)
        self.b[q] += error * (2 * self.near + 1)
        self.a[q] += abs(error)
        if self.n[q] == 64:
            self.a[q], self.b[q], self.n[q] = self.a[q] >> 1, self.b[q] >> 1, self.n[q] >> 1
        self.n[q] += 1
        if self.b[q] <= -self.n[q]:
            self.b[q] = max(self.b[q] + self.n[q], 1 - self.n[q])
            self.c[q] = max(self.c[q] - 1, -128)
        elif self.b[q] > 0:
            self.b[q] = min(self.b[q] - self.n[q], 0)
            self.c[q] = min(self.c[q] + 1, 127)
        return restored

    def _run(self, row: list[int], line: list[int], above: list[int], x: int) -> int:
        value, start = line[x - 1], x
        while x <= len(row) and abs(row[x - 1] - value) <= self.near:
            line[x] = value
            x += 1
        count = x - start
        while count >= 1 << RUNS[self.run_index]:
            self.bits.append("1")
            count -= 1 << RUNS[self.run_index]
            self.run_index = min(self.run_index + 1, 31)
        if x > len(row):
            self.bits.append("1" * (count > 0))
            return x
        length = RUNS[self.run_index]
        self.bits.append("0" + (format(count, f"0{length}b") if length else ""))
        ra, rb = value, above[x]
        kind = int(abs(ra - rb) <= self.near)
        q = 365 + kind
        error, line[x] = self._error(row[x - 1], ra if kind else rb, -1 if not kind and ra > rb else 1)
        k = self._k(q, self.a[q] + (self.n[q] >> 1) * kind)
        often = 2 * self.negative[q] >= self.n[q]
        mapped = 2 * abs(error) - kind - ((error < 0 and (often or k > 0)) or (error > 0 and not k and not often))
        self._golomb(mapped, k, self.limit - length - 1)
        self.negative[q] += error < 0
        self.a[q] += (mapped + 1 - kind) >> 1
        if self.n[q] == 64:
            self.a[q], self.n[q], self.negative[q] = self.a[q] >> 1, self.n[q] >> 1, self.negative[q] >> 1
        self.n[q] += 1
        self.run_index = max(self.run_index - 1, 0)
        return x + 1

    def _error(self, pixel: int, predicted: int, sign: int) -> tuple[int, int]:
        """The difference that is coded, and the pixel as it comes out."""
        step = 2 * self.near + 1
        error = (pixel - predicted) * sign
        error = (error + self.near) // step if error > 0 else -((self.near - error) // step)
        restored = min(max(predicted + sign * error * step, 0), self.maxval)
        error += self.range * (error < 0)
        return error - self.range * (error >= (self.range + 1) // 2), restored

    def _k(self, q: int, total: int) -> int:
        return next(k for k in range(32) if self.n[q] << k >= total)

    def _golomb(self, mapped: int, k: int, limit: int) -> None:
        most = limit - self.qbpp - 1
        if mapped >> k < most:
            low = format(mapped & ((1 << k) - 1), f"0{k}b") if k else ""
            self.bits.append("0" * (mapped >> k) + "1" + low)
        else:
            self.bits.append("0" * most + "1" + format(mapped - 1, f"0{self.qbpp}b"))
