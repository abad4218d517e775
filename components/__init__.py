"""The benchmark's steps: one folder ("room") each, and in `artifacts` what passes between them."""

import atexit
import gc

__version__ = "0.2.0"

# A step is a process that imports half a million objects, works and ends. Python's search for unused ones would go
# through all of them several times while TensorFlow is imported, which costs 0.4 s, and once more at the end: 0.9 s.
gc.set_threshold(50_000)
atexit.register(gc.freeze)
