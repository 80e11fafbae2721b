"""The datasets and rules that come with the product, as files. They go through the same door as those a county makes."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

from detection.definitions import Dataset, Module, read_module


def module_documents() -> dict[str, Any]:
    """The documents of all modules that ship, by file name."""
    return _documents("modules")


def rule_documents() -> dict[str, Any]:
    """The documents of all rules that ship, by code."""
    return {each["code"]: each for listed in _documents("rules").values() for each in listed["rules"]}


@functools.cache
def modules() -> tuple[Module, ...]:
    """The modules that ship, reference data among them."""
    return tuple(read_module(document) for document in module_documents().values())


@functools.cache
def datasets() -> Mapping[str, Dataset]:
    """Every dataset that ships, by code."""
    return MappingProxyType({dataset.code: dataset for module in modules() for dataset in module.datasets})


def _documents(folder: str) -> dict[str, Any]:
    files = sorted(
        (f for f in resources.files("detection").joinpath(folder).iterdir() if f.name.endswith(".json")),
        key=lambda f: f.name,
    )
    return {f.name: json.loads(f.read_text(encoding="utf-8")) for f in files}
