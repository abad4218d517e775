"""Settings that depend on the machine and on Keras's backend: determinism, GPUs, compilation; names of the hardware."""

import math
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components import machine
from components.artifacts.trained_model import Hardware

RESIDENT_LIMIT = 2 * 1024**3
"""Training examples up to this size (bytes) are kept in GPU memory: 230,000 images of 96 px."""

_DETERMINISTIC = "--xla_gpu_deterministic_ops=true"


def set_up(deterministic_gpus: bool = False) -> None:
    """Chooses between deterministic and fast operations and uses all GPUs. Must be called before the first computation.

    On a CPU operations are always deterministic, which costs nothing there. GPUs that support bfloat16 compute in it,
    while weights stay float32. Several GPUs share every batch.

    Args:
        deterministic_gpus: whether they are deterministic on GPUs too. Keras then compiles no model (only the training
            step is, see `steps`), and XLA leaves out faster algorithms whose rounding varies.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415 (only where it is the backend)

        graphics = tf.config.list_physical_devices("GPU")
        if deterministic_gpus or not graphics:
            tf.config.experimental.enable_op_determinism()
        for gpu in graphics:
            tf.config.experimental.set_memory_growth(gpu, True)
    elif deterministic_gpus and _DETERMINISTIC not in (flags := os.environ.get("XLA_FLAGS", "")):
        os.environ["XLA_FLAGS"] = f"{flags} {_DETERMINISTIC}".strip()  # JAX reads it before its first computation
    keras.config.set_dtype_policy("mixed_bfloat16" if _has_bfloat16() else "float32")
    if len(gpus()) > 1:
        use_together(gpus())


def deterministic(deterministic_gpus: bool) -> bool:
    """Whether operations are deterministic, so that the same seed gives the same result, bit for bit.

    Args:
        deterministic_gpus: argument of `set_up`.
    """
    return not gpus() or (deterministic_gpus and keras.backend.backend() in ("tensorflow", "jax"))


def set_seed(seed: int) -> None:
    """Seeds all random number generators of Python, NumPy and the backend."""
    keras.utils.set_random_seed(seed)


def gpus() -> list[str]:
    """Names of the GPUs that the backend sees."""
    return [name for name in keras.distribution.list_devices() if name.startswith(("gpu", "cuda"))]


def _has_bfloat16() -> bool:
    """Whether there are GPUs and all of them support bfloat16 (Nvidia's compute capability 8 or higher)."""
    if not gpus():
        return False
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        return all(one.get("compute_capability", (0, 0))[0] >= 8 for one in details)
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415

        return all(float(getattr(one, "compute_capability", 0)) >= 8 for one in jax.local_devices())
    return False


def use_together(devices: list[str]) -> None:
    """Distributes every batch over the devices from now on; each holds all weights, and gradients are averaged."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        tf.distribute.experimental_set_strategy(tf.distribute.MirroredStrategy(devices))
    if keras.backend.backend() == "jax":
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))


def replicas() -> int:
    """Number of devices that share a batch."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        return tf.distribute.get_strategy().num_replicas_in_sync
    together = keras.distribution.distribution()
    return math.prod(together.device_mesh.shape) if together else 1


def share(batch: Any) -> Any:
    """Distributes a batch over the devices in equal parts, where the backend (TensorFlow) does not do so itself.

    Args:
        batch: a nested structure of arrays whose length is a multiple of `replicas()`.

    Returns:
        The same structure of distributed values; `batch` itself for one device.
    """
    count = replicas()
    if count == 1 or keras.backend.backend() != "tensorflow":
        return batch
    import tensorflow as tf  # noqa: PLC0415

    def parts(array: Any) -> Any:
        size = len(array) // count
        return tf.distribute.get_strategy().experimental_distribute_values_from_function(
            lambda context: tf.convert_to_tensor(array[context.replica_id_in_sync_group * size :][:size])
        )

    return keras.tree.map_structure(parts, batch)


def resident(arrays: Sequence[np.ndarray]) -> Sequence[Any]:
    """Copies arrays to where `steps_together`, if they have at most `RESIDENT_LIMIT` bytes together.

    Otherwise returns them unchanged.
    """
    if not steps_together() or sum(array.nbytes for array in arrays) > RESIDENT_LIMIT:
        return arrays
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        with tf.device("GPU:0" if gpus() else "CPU:0"):  # else they might stay in the host's memory
            return [tf.identity(tf.convert_to_tensor(array)) for array in arrays]
    return [keras.ops.convert_to_tensor(array) for array in arrays]


def jit_compile() -> bool:
    """Whether computations may be compiled with XLA, so that all of their operations must support it.

    TensorFlow compiles only on GPUs, since on a CPU that makes depthwise convolutions 8 times slower, and not on
    several of them. JAX compiles everywhere; without it every operation would be a call of its own.
    """
    return keras.backend.backend() == "jax" or (bool(gpus()) and replicas() == 1)


def steps_together() -> bool:
    """Whether several training steps are compiled as one call: on one GPU, which so does not wait for the host.

    On a CPU the host computes anyway; several GPUs share every batch, which Keras does for single steps.
    """
    return len(gpus()) == 1 and keras.backend.backend() in ("tensorflow", "jax")


def peak_gpu_memory_mb() -> float | None:
    """Peak memory in use on the first GPU so far, in MB (10^6 bytes); None without a GPU."""
    if not gpus():
        return None
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415

        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"] / 1e6
    return None


def hardware() -> Hardware:
    """Describes the machine for the report."""
    return {
        "cpu": _cpu_name(),
        "cores": machine.cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpu": gpu_name(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def gpu_name() -> str | None:
    """Model name, with a count if there are several; None without a GPU."""
    names = gpus()
    if not names:
        return None
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
        names[0] = details.get("device_name", names[0])
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415

        names[0] = jax.local_devices()[0].device_kind
    return names[0] if len(names) == 1 else f"{len(names)} x {names[0]}"
