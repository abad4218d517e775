"""Processors and memory that a process may use, considering the limits of its container, and its peak memory."""

import os
import resource
import sys
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cores(cgroup: Path = CGROUP) -> int:
    """Number of processors that this process may use, at least 1.

    The CPU limit of a pod or container is a quota of processor time (Linux control groups, version 2 or 1), which
    `os.cpu_count()` ignores; more processes than that would only use memory and wait for each other.

    Args:
        cgroup: folder in which the kernel provides the quota.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(cgroup)
    return max(1, min(allowed, round(quota))) if quota else allowed


def _quota(cgroup: Path) -> float | None:
    """Quota in processors (processor time per period); None without a limit."""
    try:
        if (cgroup / "cpu.max").is_file():
            quota, period = (cgroup / "cpu.max").read_text().split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):  # no control groups here, or "max"
        return None


def memory_limit(cgroup: Path = CGROUP) -> int | None:
    """Memory (bytes) that all processes of this container may use together; None without a limit.

    Args:
        cgroup: folder in which the kernel provides the limit (control groups, version 2 or 1).
    """
    limit = _number(cgroup / "memory.max") or _number(cgroup / "memory" / "memory.limit_in_bytes")
    # Version 1 gives nearly 2^63 for no limit.
    return limit if limit and limit < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") else None


def memory_used(cgroup: Path = CGROUP) -> int:
    """Memory (bytes) that they use, without what the kernel gives up first: copies of files, caches; 0 if unknown."""
    folder, prefix = (cgroup, "") if (cgroup / "memory.max").is_file() else (cgroup / "memory", "total_")
    used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
    counts = _counts(folder / "memory.stat")
    spare = [counts.get(f"{prefix}{state}_file", 0) for state in ("active", "inactive")]
    return max(0, used - sum(spare) - counts.get("slab_reclaimable", 0))


def killed_for_memory(cgroup: Path = CGROUP) -> int:
    """How many processes of this container the kernel has killed because its memory was used up."""
    found = [_counts(folder / name) for folder in (cgroup, cgroup / "memory") for name in _MEMORY_EVENTS]
    return max(counts.get("oom_kill", 0) for counts in found)


_MEMORY_EVENTS = ("memory.events", "memory.oom_control")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # there is none, or it is "max"
        return None


def _counts(path: Path) -> dict[str, int]:
    """The numbers in a file with lines such as "oom_kill 1"."""
    try:
        return {name: int(value) for name, value in map(str.split, path.read_text().splitlines())}
    except (OSError, ValueError):
        return {}


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
