"""The language of the interface: English, or Chinese with ``VIVA_LANGUAGE=zh`` in the environment.

Code, tests and stored outputs speak English. Where a text becomes a widget, a table or a message, `say` returns what is
shown. `chinese.toml` has the Chinese, sorted by where it is met.
"""

import os
import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

from .topics import TOPICS

LANGUAGES = ("en", "zh")
LOCALES = Path(__file__).parent / "locales"  # JupyterLab's own: a folder of its settings for each language
_HOLE = re.compile(r"\{(\w)\}")
_LETTER = re.compile(r"[A-Za-z]")
_NUMBER = r"[A-Z]|[-+.,]*\d[-+.,0-9e%]*"
_WORD = re.compile(r"[A-Za-z]{2}")


def language():
    """Return "en" or "zh".

    Raises
    ------
    ValueError
        If ``VIVA_LANGUAGE`` is neither.
    """
    chosen = os.environ.get("VIVA_LANGUAGE") or "en"
    if chosen not in LANGUAGES:
        raise ValueError(f"VIVA_LANGUAGE must be {' or '.join(LANGUAGES)}, got {chosen!r}")
    return chosen


def say(text):
    """Return a text of the interface in your language; one that the catalog does not know stays English."""
    return text if language() == "en" else _translated(text)


def in_english(heading):
    """Return a notebook's heading as it was before `say`, whatever your language is now."""
    return next((english for english, shown in catalog()["notebooks"].items() if shown == heading), heading)


def page_texts():
    """Return what our JavaScript says, English -> shown; empty in English."""
    return {} if language() == "en" else catalog()["page"]


@cache
def catalog():
    """Return the catalog: room -> {English: Chinese}, that of the topics' titles included.

    ``{N}`` stands for a number or a capital letter, ``{1}`` for any text that stays as it is, ``{a}`` for one that the
    catalog knows too.
    """
    rooms = tomllib.loads((Path(__file__).parent / "chinese.toml").read_text(encoding="utf-8"))
    same = {text: text for text in rooms.pop("same")["texts"]}
    return {"same": same, "topics": {topic.title: topic.title_zh for topic in TOPICS}, **rooms}


def find(text):
    """Return the key of the catalog that `text` matches, and what stands in its holes, {hole: text}.

    Returns
    -------
    (str, dict) or None
        None if there is no such key, or what stands in ``{a}`` has none.
    """
    whole, patterns = _keys()
    if text in whole:
        return text, {}
    if not _LETTER.search(text):
        return None
    has_words = _WORD.search(text)
    for key, pattern, has_letters in patterns:
        if not has_words and not has_letters:  # "x, y" has no more to translate than "x"; "8 d" has
            continue
        if match := pattern.fullmatch(text):
            held = {hole.lstrip("_"): part for hole, part in match.groupdict().items()}
            if all(is_known(part) for hole, part in held.items() if hole.islower()):
                return key, held
    return None


def is_known(text):
    """Whether a text can be shown in Chinese; one without words is."""
    return not _WORD.search(text) or find(text) is not None


@lru_cache(4096)
def _translated(text):
    if not (found := find(text)):
        return text
    key, held = found
    return _HOLE.sub(lambda hole: (_translated if hole[1].islower() else str)(held[hole[1]]), _keys()[0][key])


@cache
def _keys():
    """All of the catalog as one dict, and its keys with holes as patterns, the most literal first."""
    whole = {key: shown for room in catalog().values() for key, shown in room.items()}
    holed = sorted((key for key in whole if _HOLE.search(key)), key=lambda key: -len(_HOLE.sub("", key)))
    return whole, [(key, re.compile(_pattern(key), re.DOTALL), _LETTER.search(_HOLE.sub("", key))) for key in holed]


def _pattern(key):
    """A group for each hole; its name is the hole's, after an underscore if that is a digit."""
    parts = _HOLE.split(key)
    names = [f"_{name}" if name.isdigit() else name for name in parts[1::2]]
    holes = [f"(?P<{name}>{_NUMBER if name.isupper() else '.+?'})" for name in names] + [""]
    return "".join(re.escape(literal) + hole for literal, hole in zip(parts[::2], holes, strict=True))
