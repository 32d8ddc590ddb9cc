"""A network namespace of this process's own, where a TUN device needs no privilege and harms nobody."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000

_SIOCSIFFLAGS: Final = 0x8914
_IFF_UP: Final = 0x1
_TUNSETIFF: Final = 0x400454CA
_IFF_TUN_NO_PI: Final = 0x1001


class NamespaceUnavailableError(OSError):
    """This process cannot have a network namespace of its own; the text is one line that says why."""


def enter_private_namespace() -> None:
    """Move this process, which must have one thread only, to a new network namespace with loopback up.

    Without CAP_SYS_ADMIN it makes a user namespace too, in which it is root. There is no way back.
    Raises ``NamespaceUnavailableError``.
    """
    if not sys.platform.startswith("linux"):
        raise NamespaceUnavailableError("network namespaces exist on Linux only")
    if len(os.listdir("/proc/self/task")) > 1:
        raise NamespaceUnavailableError("the process already runs several threads; enter the namespace at its start")
    try:
        _unshare_network()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise NamespaceUnavailableError(f"cannot make a network namespace: {reason}") from error
    _raise_loopback()


def tun_available() -> str | None:
    """``None`` when this process can make a TUN device here and now; otherwise the reason it cannot."""
    try:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return f"cannot open /dev/net/tun: {error.strerror}"
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", b"", _IFF_TUN_NO_PI))
    except OSError as error:
        return f"cannot make a TUN device: {error.strerror}"
    finally:
        os.close(descriptor)
    return None


def _unshare_network() -> None:
    user, group = os.geteuid(), os.getegid()
    try:
        _unshare(CLONE_NEWNET)
    except PermissionError:
        _unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _unshare(flags: int) -> None:
    if sys.version_info >= (3, 12):
        os.unshare(flags)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        code = ctypes.get_errno() or errno.EPERM
        raise OSError(code, os.strerror(code))


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))
