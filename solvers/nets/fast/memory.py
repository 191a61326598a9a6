"""Freed memory is kept, not handed back: on a CPU much of a small net's time may go into getting it again.

A supervision step allocates its activations anew, some megabytes each, and frees them. glibc takes blocks
of that size from the system by mmap and returns them by munmap, and every first touch of a new page is a
fault that the kernel answers with zeros: millions of faults a minute. Told to keep blocks of any size, it
hands the same warm pages out again; what that is worth hangs on batch and threads (docs/log.md,
benchmarks/memory.py). The process stays as large as it once was until it ends.
"""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache

KEEP_ALL, KEEP_SOME = 2**30, 2**25  # bytes; older versions of glibc take at most the second as a threshold
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # malloc.h
TOP_PAD = 2**28  # the heap grows by so much at a time

SWITCH = "DEPTHBENCH_MALLOC"
"""Environment variable: "default" leaves the allocator as it is, to measure against."""


@cache
def keep() -> bool:
    """Make the C library keep freed memory, once a process; return whether it does.

    Only glibc on Linux is told, and not where the user has set its options by the environment.
    """
    chosen = os.environ.get(SWITCH) == "default" or any(
        name in os.environ for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")
    )
    if chosen or platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    if not (mallopt(M_MMAP_THRESHOLD, KEEP_ALL) or mallopt(M_MMAP_THRESHOLD, KEEP_SOME)):
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, KEEP_ALL) and mallopt(M_TOP_PAD, TOP_PAD))
