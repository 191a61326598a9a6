"""The proxy for an address, from the environment, as curl reads it: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`,
and `NO_PROXY` for what goes direct.

The HTTP libraries read these too, and end in a traceback at forms that are common elsewhere (`socks://`,
`NO_PROXY=[::1]`); here each either works or is one sentence.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

from harness.errors import UserError


def proxy_for(url: str) -> str | None:
    """Return the proxy to reach an address by; None for a direct connection. Raises UserError for one of a
    kind that cannot be used.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    known = getproxies()
    name = parts.scheme if known.get(parts.scheme) else "all"
    proxy = known.get(name)
    if not proxy or bypassed(host, parts.port, known.get("no", os.environ.get("NO_PROXY", ""))):
        return None
    given = proxy if "://" in proxy else f"http://{proxy}"
    shown = _without_password(given)
    try:
        scheme, proxy_host, _ = (found := urlsplit(given)).scheme, found.hostname, found.port
    except ValueError as error:
        raise _refused(name, shown, f"{error}.", host) from None
    if scheme not in ("http", "https"):
        raise _refused(
            name, shown, f"Proxies of the kind {scheme}:// cannot be used, http:// ones can.", host
        )
    if not proxy_host:
        raise _refused(name, shown, "It names no host.", host)
    return given


def bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    """Say whether NO_PROXY lists a host: by name, by the end of its name, by address or network; `*` is
    all.
    """
    host = host.lower().rstrip(".")
    for entry in (part.strip().lower() for part in no_proxy.replace(" ", ",").split(",")):
        if not entry:
            continue
        if entry == "*":
            return True
        entry = entry.rpartition("://")[2]
        name, wanted = entry, None
        if entry.startswith("["):  # [::1] or [::1]:8080
            name, _, rest = entry[1:].partition("]")
            wanted = rest.removeprefix(":")
        elif entry.count(":") == 1:
            name, _, wanted = entry.partition(":")
        if wanted and wanted != str(port):
            continue
        name = name.lstrip("*").lstrip(".")
        if host == name or (name and host.endswith("." + name)) or _in_network(host, name):
            return True
    return False


@contextmanager
def for_libraries(base_url: str | None) -> Iterator[None]:
    """Let a library that reads the environment by itself come to what `proxy_for` says: without any proxy
    for an address that is reached directly, and without the forms in NO_PROXY at which httpx ends in a
    traceback.
    """
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    direct = base_url is not None and proxy_for(base_url) is None
    for name, value in kept.items():
        if direct:
            del os.environ[name]
        elif name.lower() == "no_proxy":
            os.environ[name] = ",".join(part for part in value.split(",") if "[" not in part)
    try:
        yield
    finally:
        os.environ.update(kept)


def _in_network(host: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _refused(name: str, shown: str, rule: str, host: str) -> UserError:
    return UserError(
        f"The proxy {shown!r} of {name.upper()}_PROXY cannot be used.",
        rule=rule,
        next_step=f"Set another, unset the variable, or add {host} to NO_PROXY.",
    )
