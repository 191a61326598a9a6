"""A seccomp filter (classic BPF) for programs nobody has read: threads, but no processes, no sockets, no new
namespaces, and no memory that no limit counts.

A limit on processes would not do: the kernel does not hold a superuser to it, and a fork bomb outruns whoever
counts. Numbers are those of linux/audit.h, asm/unistd_64.h (x86-64) and asm-generic/unistd.h (64-bit Arm).
"""

from __future__ import annotations

import errno
import platform
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
COLUMN = {"x86_64": 0, "aarch64": 1}
CLONE_THREAD = 0x10000
CLONE, CLONE3 = (56, 220), 435
X32 = 0x40000000  # the x32 numbers of x86-64 are another way to say the same calls

FORBIDDEN: dict[str, tuple[int | None, int | None]] = {
    # processes and namespaces
    "fork": (57, None), "vfork": (58, None), "unshare": (272, 97), "setns": (308, 268),
    # memory that RLIMIT_AS does not see: files and segments held by the kernel
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "msgget": (68, 186),
    "semget": (64, 190), "mq_open": (240, 180), "io_uring_setup": (425, 425), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "userfaultfd": (323, 282), "vmsplice": (278, 75),
    "io_setup": (206, 0), "inotify_init": (253, None), "inotify_init1": (294, 26),
    "fanotify_init": (300, 262),
    # ways out: some families of sockets (vsock) know no namespace
    "socket": (41, 198), "socketpair": (53, 199),
    # other processes, the kernel, the file tree
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "bpf": (321, 280),
    "perf_event_open": (298, 241), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "fsopen": (430, 430), "fsmount": (432, 432), "move_mount": (429, 429),
    "open_tree": (428, 428), "mount_setattr": (442, 442), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "personality": (135, 92), "quotactl": (179, 60), "swapon": (167, 224), "reboot": (169, 142),
    "syslog": (103, 116), "acct": (163, 89), "modify_ldt": (154, None),
}  # fmt: skip
"""Calls that fail with EPERM: their numbers on x86-64 and 64-bit Arm; None where there is no such call."""


def known() -> bool:
    """Say whether this processor's calls are known."""
    return platform.machine() in AUDIT


def program() -> bytes:
    """Return the filter for this processor."""
    column, audit = COLUMN[platform.machine()], AUDIT[platform.machine()]
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, fails, missing = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
    code = [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, kill), (load, 0, 0, 0)]
    code += [(at_least, 0, 1, X32), (give, 0, 0, kill)]
    for number in [n for numbers in FORBIDDEN.values() if (n := numbers[column]) is not None]:
        code += [(equal, 0, 1, number), (give, 0, 0, fails)]
    # clone3's flags are out of a filter's sight; callers fall back on clone, which may only start threads
    code += [(equal, 0, 1, CLONE3), (give, 0, 0, missing)]
    code += [(equal, 0, 3, CLONE[column]), (load, 0, 0, 16), (any_bit, 1, 0, CLONE_THREAD)]
    code += [(give, 0, 0, fails), (give, 0, 0, allow)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


@contextmanager
def filter_file() -> Iterator[IO[bytes]]:
    """Give an open file that holds the filter, or nothing where the processor is not known."""
    with tempfile.TemporaryFile() as file:
        if known():
            file.write(program())
            file.seek(0)
        yield file
