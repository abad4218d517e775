"""Processors that a process may use, considering the limit of its container, and its peak memory."""

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


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
