"""Pictures of fractals, one class per formula: iterated function systems, drawn by many random walkers at once.

FractalDB (Kataoka et al. 2020, arXiv:2101.08515) pre-trains networks on such pictures alone. The formulas are sampled
by their singular values as in Anderson and Farrell 2022 (arXiv:2110.03091), so that nearly all pictures have visible
structure.
"""

import numpy as np

MAPS = (2, 6)
"""Smallest and largest number of maps in a formula."""

WALKERS, STEPS, WARM_UP = 400, 60, 10
"""Number of walkers in a picture, steps of each, and number of first steps that are not drawn."""

JITTER = 0.08
"""Largest relative change of the entries of a formula's maps within its class."""

LONGEST = 0.98
"""Largest spectral norm of a varied map."""


def formula(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Samples the formula of a class: contracting affine maps of the plane.

    With the singular values s1 >= s2 of a map, the sum of s1 + 2 s2 over the maps lies between (5 + N) / 2 and
    (6 + N) / 2: smaller sums give scattered dots, larger ones a blur (Anderson and Farrell 2022, section 3).

    Returns:
        Matrices (N, 2, 2) and offsets (N, 2), float64.
    """
    count = int(random.integers(MAPS[0], MAPS[1] + 1))
    values = _singular_values(random, count)
    turns, tilts = _rotations(random.uniform(-np.pi, np.pi, (2, count)))
    signs = random.choice([-1.0, 1.0], (count, 2))
    return turns @ (values[:, :, None] * tilts) * signs[:, None, :], random.uniform(-1, 1, (count, 2))


def _singular_values(random: np.random.Generator, count: int) -> np.ndarray:
    """Singular values (N, 2), the larger one of each map first, all below 1, with a sum in the range above."""
    while True:
        total = random.uniform(5 + count, 6 + count) / 2
        values = np.sort(random.uniform(0, 1, (200, count, 2)), axis=2)[:, :, ::-1]
        values *= (total / (values @ [1.0, 2.0]).sum(axis=1))[:, None, None]
        fit = values[(values < 1).all(axis=(1, 2))]
        if len(fit):
            return fit[0]


def _rotations(angles: np.ndarray) -> np.ndarray:
    """Matrices (..., 2, 2) of rotations by `angles` (radians)."""
    cosines, sines = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([cosines, -sines], axis=-1), np.stack([sines, cosines], axis=-1)], axis=-2)


def draw(matrices: np.ndarray, offsets: np.ndarray, count: int, size: int, random: np.random.Generator) -> np.ndarray:
    """Draws pictures of one class: with slightly varied maps, rotated, and with random exposure.

    Args:
        matrices: (N, 2, 2), from `formula`.
        offsets: (N, 2).
        count: number of pictures.
        size: height and width in px.
        random: source of all variation.

    Returns:
        uint8 (count, size, size), brighter where walkers were more often.
    """
    return _develop(_density(_walk(*varied(matrices, offsets, count, random), random), size, random), random)


def varied(
    matrices: np.ndarray, offsets: np.ndarray, count: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Varies a formula within its class: changes each entry of its maps by up to `JITTER`.

    Args:
        matrices: (N, 2, 2).
        offsets: (N, 2).
        count: number of variations.
        random: source of all variation.

    Returns:
        Matrices (count, N, 2, 2), all contracting, and offsets (count, N, 2).
    """
    changed = matrices * (1 + random.uniform(-JITTER, JITTER, (count, *matrices.shape)))
    # All maps must stay contracting; otherwise walkers would diverge.
    changed /= np.maximum(1, np.linalg.norm(changed, 2, axis=(2, 3)) / LONGEST)[..., None, None]
    return changed, offsets * (1 + random.uniform(-JITTER, JITTER, (count, *offsets.shape)))


def _walk(matrices: np.ndarray, offsets: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Positions of the walkers, float32 (count, points, 2). Maps are chosen in proportion to their determinants."""
    count, maps = matrices.shape[:2]
    shares = np.abs(np.linalg.det(matrices)) + 0.01
    bounds = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)[:, :, None]
    a, b = matrices.astype(np.float32).reshape(count * maps, 4), offsets.astype(np.float32).reshape(count * maps, 2)
    first = (np.arange(count) * maps)[:, None]
    x = y = np.zeros((count, WALKERS), np.float32)
    places = np.empty((count, STEPS - WARM_UP, WALKERS, 2), np.float32)
    for step in range(STEPS):
        choices = first + (random.random((count, 1, WALKERS), np.float32) > bounds[:, :-1]).sum(axis=1)
        m, t = a[choices], b[choices]
        x, y = m[..., 0] * x + m[..., 1] * y + t[..., 0], m[..., 2] * x + m[..., 3] * y + t[..., 1]
        if step >= WARM_UP:
            places[:, step - WARM_UP, :, 0], places[:, step - WARM_UP, :, 1] = x, y
    return places.reshape(count, -1, 2)


def _density(points: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """Number of points in each pixel after a random rotation and zoom, float32 (count, size, size)."""
    count = len(points)
    turned = points @ _rotations(random.uniform(-np.pi, np.pi, count)).astype(np.float32)
    low, high = np.percentile(turned[:, ::7], [2, 98], axis=1)
    middle, extent = (low + high) / 2, (high - low).max(axis=1) + 1e-6
    # From pictures that fill half of the frame to pictures of which the frame shows half.
    zoom = size * random.uniform(0.5, 1.5, count) / extent
    centre = size * random.uniform(0.4, 0.6, (count, 1, 2))
    pixels = ((turned - middle[:, None]) * zoom[:, None, None] + centre).astype(np.int32)
    inside = ((pixels >= 0) & (pixels < size)).all(axis=2)
    cells = (np.arange(count)[:, None] * size + pixels[..., 1]) * size + pixels[..., 0]
    return np.bincount(cells[inside], minlength=count * size * size).astype(np.float32).reshape(count, size, size)


def _develop(density: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Grey values with random blur, background, gamma, and light on dark or dark on light."""
    count = len(density)
    image = np.log1p(density)
    soft = image.copy()
    for axis in (1, 2):
        soft = (np.roll(soft, 1, axis) + 2 * soft + np.roll(soft, -1, axis)) / 4
    share = random.uniform(0, 1, (count, 1, 1)).astype(np.float32)
    image += share * (soft - image)
    image /= np.percentile(image, 99.5, axis=(1, 2), keepdims=True) + 1e-6
    image = np.clip(image, 0, 1) ** random.uniform(0.5, 1.5, (count, 1, 1))
    dark, bright = random.uniform(0, 90, (count, 1, 1)), random.uniform(150, 255, (count, 1, 1))
    image = dark + (bright - dark) * image
    inverted = random.random((count, 1, 1)) < 0.3
    image = np.where(inverted, 255 - image, image) + random.normal(0, 4, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)
