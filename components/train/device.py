"""What depends on the machine and on Keras's backend: determinism, compilation, memory, names of the hardware."""

import os
import platform
import resource
import sys
from pathlib import Path
from typing import Any

import keras


def set_up(seed: int) -> None:
    """Seeds everything and makes training repeatable. Call it before anything else touches the backend.

    With TensorFlow this takes its deterministic operations; on a CPU they are as fast as the others.
    """
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf  # noqa: PLC0415 (only where it is the backend)

    tf.config.experimental.enable_op_determinism()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def gpus() -> list[str]:
    """Names of the GPUs that the backend sees."""
    return [name for name in keras.distribution.list_devices() if name.startswith(("gpu", "cuda"))]


def jit_compile() -> bool:
    """Whether to compile with XLA: on GPUs only; on a CPU it makes depthwise convolutions 8 times slower."""
    return bool(gpus())


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def peak_gpu_memory_mb() -> float | None:
    """Largest memory in use on the first GPU so far, in MB (10^6 bytes); None without a GPU."""
    if not gpus():
        return None
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # noqa: PLC0415

        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6
    if keras.backend.backend() == "jax":
        import jax  # noqa: PLC0415

        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"] / 1e6
    return None


def hardware() -> dict[str, Any]:
    """The machine, for the report: cpu, cores that may be used, memory_gb, gpu (None without one)."""
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpu": _gpu_name(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _gpu_name() -> str | None:
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
