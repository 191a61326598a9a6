"""The words a model is asked with: a TOML file for each prompt, with its version, which is in every record.

`default` follows the task's own prompt with what the strategy asks for; `-S prompt=NAME` takes another, which
puts the whole question itself, or (`brief`) shortens how examples are shown.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.errors import UserError, did_you_mean

FOLDER = Path(__file__).parent
DEFAULT = "default"


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """One prompt file."""

    name: str
    version: str
    summary: str
    source: str = ""  # where its form is published
    tasks: tuple[str, ...] = ()  # those it is for; empty: any
    styles: tuple[str, ...] = ()  # the styles it goes with; empty: any
    words: Mapping[str, str]

    @property
    def label(self) -> str:
        """What a record calls it: the version alone for the default, as it always was."""
        return self.version if self.name == DEFAULT else f"{self.name}/{self.version}"

    def question(self, payload: Mapping[str, Any]) -> str:
        """Write a puzzle of input and output pairs in this prompt's own form."""
        examples = "\n".join(
            self.words["example"].format(
                number=number, **{k: json.dumps(pair[k]) for k in ("input", "output")}
            )
            for number, pair in enumerate(payload["train"])
        )
        return self.words["question"].format(examples=examples, test=json.dumps(payload["test"]))


@cache
def find(name: str) -> Prompt:
    """Return a prompt by name."""
    path = FOLDER / f"{name}.toml"
    if name not in names():
        raise UserError(f"Unknown prompt {name!r}.", rule=did_you_mean(name, names()))
    body = tomllib.loads(path.read_text("utf-8"))
    about = {key: body.pop(key) for key in ("version", "summary", "source") if key in body}
    tasks, styles = (tuple(body.pop(key, ())) for key in ("tasks", "styles"))
    return Prompt(name=name, tasks=tasks, styles=styles, words=body, **about)


@cache
def names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def catalogue() -> list[dict[str, str]]:
    """Return what `bench list prompts` shows: prompt, version, tasks, summary, source."""
    found = map(find, names())
    return [
        {
            "prompt": prompt.name,
            "version": prompt.version,
            "tasks": ", ".join(prompt.tasks) or "any",
            "summary": prompt.summary,
            "source": prompt.source,
        }
        for prompt in found
    ]


_WORDS = find(DEFAULT).words
VERSION = find(DEFAULT).version
ANSWER_FENCE = _WORDS["answer_fence"]
DIRECT = _WORDS["direct"].format(answer_fence=ANSWER_FENCE)
THINK = _WORDS["think"].format(answer_fence=ANSWER_FENCE)
COMPLAINT, NO_ANSWER, PROGRAM = _WORDS["complaint"], _WORDS["no_answer"], _WORDS["program"]
