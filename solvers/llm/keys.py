"""API keys: from the environment or the operating system's keyring, sent only where they belong, never
shown.
"""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from harness.errors import UserError
from solvers.llm.protocol import clean

SECRET_NAME = re.compile(
    r"(?:KEY|KEYS|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|AUTH)(?:_?\d*)$", re.IGNORECASE
)
"""Variables whose values never appear: litellm reads dozens of them by itself, cloud SDKs others."""
SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie|password|credential", re.IGNORECASE)
SECRET_MEMBER = re.compile(
    r"(?:^|_|-)(?:api_?key|(?:access|auth|bearer|id)_?token|authorization|secret|password)$", re.IGNORECASE
)
SHORTEST = 8  # letters of a value that is looked for; shorter ones are words
ACCOUNT_HEADERS = ("OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID",
                   "OPENAI_ORGANIZATION", "ANTHROPIC_AUTH_TOKEN")  # fmt: skip
"""What SDKs add to every request by themselves, whatever its address."""


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
    key = (os.environ.get(name) or _from_keyring(name) or "").strip()
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
    check_header(f"The key in {name}", key)
    return key


def check_header(what: str, value: str) -> None:
    """Refuse what no HTTP header can hold, without showing it."""
    odd = sorted({hex(ord(c)) for c in value if not 0x21 <= ord(c) <= 0x7E and c != " "})
    if odd or value != value.strip():
        found = f"the character {odd[0]}" if odd else "a space at an end"
        raise UserError(
            f"{what} holds {found}.",
            rule="An HTTP header takes printable ASCII alone.",
            next_step="Copy it again, without quotes and line breaks.",
        )


def read_headers(given: Mapping[str, str] | None) -> dict[str, str]:
    """Return the headers the user asked for; a value `$NAME` is read from that variable, so that no secret
    stands in an option, which is recorded.
    """
    found = {}
    for name, value in (given or {}).items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise UserError(f"extra_headers: {name!r} is not the name of a header.")
        if value.startswith("$"):
            variable, value = value[1:], os.environ.get(value[1:], "").strip()
            if not value:
                raise UserError(f"extra_headers: nothing is in the variable {variable!r}, for {name}.")
        elif SECRET_HEADER.search(name):
            raise UserError(
                f"extra_headers: the value of {name} stands in the option.",
                rule="Options are recorded.",
                next_step=f"Put it into a variable and give {name}=$VARIABLE, in single quotes.",
            )
        check_header(f"The value of the header {name}", value)
        found[name] = value
    return found


def check_options(options: Mapping[str, object]) -> None:
    """Refuse a secret in an option, for options are recorded: a value of the environment that is one, or a
    member of the request that is named as one.
    """
    hidden = Redactor([])
    for name, value in options.items():
        text = json.dumps(value, default=str, ensure_ascii=False)
        if value is not None and hidden(text) != text:
            raise UserError(
                f"The option {name} holds a secret of the environment.",
                rule="Options are recorded.",
                next_step="Name its variable: -S api_key_env=NAME, or -S extra_headers.HEADER='$NAME'.",
            )
    if named := sorted(_secret_members(options.get("extra_body"))):
        raise UserError(
            f"extra_body: the value of {', '.join(named)} stands in the option.",
            rule="Options are recorded.",
            next_step="Send it as a header: -S extra_headers.NAME='$VARIABLE'.",
        )


def _secret_members(value: object) -> set[str]:
    """Return the names of members, at any depth, that are named as secrets are and hold text."""
    if isinstance(value, list | tuple):
        return {name for inner in value for name in _secret_members(inner)}
    if not isinstance(value, Mapping):
        return set()
    found = {name for name, inner in value.items() if isinstance(inner, str) and SECRET_MEMBER.search(name)}
    return found | {name for inner in value.values() for name in _secret_members(inner)}


def check_base_url(base_url: str | None) -> None:
    """Refuse an address that is malformed or that would carry a secret into the records, or a key in the
    clear.
    """
    if base_url is None:
        return
    example = "For example -S base_url=http://127.0.0.1:8080/v1, or http://[::1]:8080/v1."
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError as error:  # its message may quote a password: shown without it
        raise UserError(
            f"base_url {_bare(base_url)!r} cannot be read: {_bare(str(error))}.",
            rule="A port is a number from 1 to 65535; an IPv6 address stands in brackets.",
            next_step=example,
        ) from None
    host = parts.hostname or ""
    shown = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}{parts.path}"
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise UserError(f"base_url {shown!r} is not a web address.", next_step=example)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UserError(
            f"base_url {shown!r} must have no user, password, query or fragment.",
            rule="The address is written into the records.",
            next_step="Put the key into an environment variable and name it with -S api_key_env=NAME.",
        )
    if not base_url.isascii() or any(c.isspace() or not c.isprintable() for c in base_url):
        raise UserError(
            f"base_url {clean(shown)!r} holds a character that no address has.",
            rule="Letters outside ASCII are written as xn--… in a host and as %… in a path.",
        )


@contextmanager
def own_headers_only(url: str, own_url: str) -> Iterator[None]:
    """Hide what an SDK adds to every request by itself (`OPENAI_CUSTOM_HEADERS`, organisation, project),
    unless the address is the provider's own. Who wants it elsewhere says so with -S extra_headers.
    """
    foreign = urlsplit(url).hostname != urlsplit(own_url).hostname
    hidden = {name: os.environ.pop(name) for name in ACCOUNT_HEADERS if foreign and name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


class Redactor:
    """Takes secrets out of texts: the keys of a run, and every value of the environment that looks like
    one.
    """

    def __init__(self, keys: Iterable[str | None]) -> None:
        mine = {key for key in keys if key and len(key) >= SHORTEST}
        others = {
            value.strip()
            for name, value in os.environ.items()
            if SECRET_NAME.search(name) or name in ACCOUNT_HEADERS
        }
        mine |= {value for value in others if _telling(value)}
        for headers in (os.environ.get(name, "") for name in ACCOUNT_HEADERS if name.endswith("HEADERS")):
            mine |= {v for line in headers.split("\n") if _telling(v := line.partition(":")[2].strip())}
        forms = {
            form for key in mine for form in (key, quote(key, safe=""), key.encode("unicode_escape").decode())
        }
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        return self._pattern.sub("[key]", text) if self._pattern else text

    def scrub(self, error: BaseException, seen: set[int] | None = None) -> None:
        """Take secrets out of an exception, those it came from included, so that its traceback shows none."""
        seen = seen if seen is not None else set()
        if id(error) in seen:
            return
        seen.add(id(error))
        error.args = tuple(self._of(value) for value in error.args)
        for name, value in list(vars(error).items()):
            if isinstance(value, str | bytes | list | dict | tuple):
                try:
                    setattr(error, name, self._of(value))
                except (AttributeError, TypeError):
                    continue
        inner = [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]
        for link in inner:
            if isinstance(link, BaseException):
                self.scrub(link, seen)

    def _of(self, value: object) -> object:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, bytes):
            return self(value.decode("latin-1")).encode("latin-1")
        if isinstance(value, dict):
            return {key: self._of(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return (
                type(value)([self._of(inner) for inner in value]) if type(value) in (list, tuple) else value
            )
        return value


def _telling(value: str) -> bool:
    """Say whether a value is a secret and not a word or a number that an answer may hold by chance."""
    return len(value) >= SHORTEST and any(c.isalpha() for c in value) and not value.isalpha()


def _bare(address: str) -> str:
    return re.sub(r"//[^/@]*@", "//", clean(address))


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
