"""API keys: from the environment or the operating system's keyring, sent only where they belong, never
shown.
"""

from __future__ import annotations

import importlib
import os
from urllib.parse import urlsplit

from harness.errors import UserError


def find_key(variable: str | None, default_variable: str | None, base_url: str | None) -> str | None:
    """Return the key to send, or None for none.

    A `variable` the user named must hold a key. The provider's own variable is read only for the provider's
    own address, so that a base URL, mistyped or foreign, never receives it.
    """
    if variable is None and base_url is not None:
        return None
    name = variable or default_variable
    if name is None:
        return None
    key = os.environ.get(name) or _from_keyring(name)
    if not key:
        raise UserError(
            f"No API key in {name}.",
            rule=(
                "Keys come from the environment or the system's keyring (service depthbench, user "
                f"{name}), never from options."
            ),
            next_step=(
                f"export {name}=…, or name another variable with -S api_key_env=NAME, or a server "
                "with -S base_url=URL."
            ),
        )
    return key


def check_base_url(base_url: str | None) -> None:
    """Refuse an address that is malformed or that would carry a secret into the records, or a key in the
    clear.
    """
    if base_url is None:
        return
    parts = urlsplit(base_url)
    shown = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(
            f"base_url {shown!r} is not a web address.",
            next_step="For example -S base_url=http://127.0.0.1:8080/v1.",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UserError(
            f"base_url {shown!r} must have no user, password, query or fragment.",
            rule="The address is written into the records.",
            next_step="Put the key into an environment variable and name it with -S api_key_env=NAME.",
        )


def redact(text: str, key: str | None) -> str:
    """Take the key out of a text, such as a server's error message that quotes it."""
    return text.replace(key, "[key]") if key else text


def _from_keyring(name: str) -> str | None:
    try:
        keyring = importlib.import_module("keyring")  # an optional package
    except ImportError:
        return None
    try:
        key = keyring.get_password("depthbench", name)
    except keyring.errors.KeyringError:  # no keyring on this machine, or a locked one
        return None
    return key if isinstance(key, str) else None
