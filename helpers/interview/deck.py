"""The cards: what you are asked. One TOML file a topic, read and checked here."""

import re
import tomllib
from collections import Counter
from difflib import get_close_matches
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple

from helpers.topics import TOPICS

FOLDER = Path(__file__).parent / "cards"
KINDS = ("concept", "derivation", "trap", "code", "follow-up")
LEVELS = ("screen", "onsite", "expert")
LANGUAGES = ("en", "zh")

_REQUIRED = {"id", "kind", "level", "question", "answer", "source"}
_OPTIONAL = {"claim", "follow_ups"}
_CHINESE = r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"  # characters and full-width punctuation
_TOPIC_OF = {topic.stem: topic for topic in TOPICS}


class Text(NamedTuple):
    r"""One text in both languages: formulas in $...$ or $$...$$, code in backticks, *emphasis*.

    A blank line stands between paragraphs. A formula has no space beside its $, so that "from $5 to $6" is none. A
    dollar that is one is written \$.
    """

    en: str
    zh: str


class Card(NamedTuple):
    """One question with its answer.

    `claim` is the id of the claim that a trap settles. `follow_ups` are ids of cards of kind "follow-up", which an
    interviewer asks next.
    """

    id: str
    kind: str
    level: str
    question: Text
    answer: Text
    source: str
    claim: str | None = None
    follow_ups: tuple[str, ...] = ()

    @property
    def topic(self):
        """The `Topic` that the card belongs to."""
        return _TOPIC_OF[self.id.partition("/")[0]]


def find_topics(stems=()):
    """Return the topics with these stems, in the order of the collection; all of them if none is named.

    Parameters
    ----------
    stems : str or iterable of str

    Raises
    ------
    ValueError
        If a stem is unknown; the message names those that come close.
    """
    stems = (stems,) if isinstance(stems, str) else tuple(stems)
    for stem in stems:
        if stem not in _TOPIC_OF:
            close = get_close_matches(str(stem), _TOPIC_OF, n=3, cutoff=0.4) or _TOPIC_OF
            raise ValueError(f"topics: there is no topic {stem!r}; did you mean {', '.join(map(repr, close))}?")
    return [topic for topic in TOPICS if not stems or topic.stem in stems]


def load_cards(topics=()):
    """Return the cards of these topics, by id, in the order of their files.

    Parameters
    ----------
    topics : str or iterable of str
        Stems of topics; all of them if none is named. A topic that has no file yet has no cards.

    Returns
    -------
    dict of str to Card

    Raises
    ------
    ValueError
        If a topic is unknown or a file breaks the schema.
    """
    paths = [FOLDER / f"{topic.stem}.toml" for topic in find_topics(topics)]
    return {card.id: card for path in paths if path.exists() for card in read_cards(path)}


@cache
def read_cards(path):
    """Return the cards of one file as a tuple.

    Raises
    ------
    ValueError
        If the file breaks the schema; the message names the file, the card and the field.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    if data.keys() != {"card"}:
        raise ValueError(f"{path.name}: must hold [[card]] tables and nothing else, got {', '.join(data) or 'nothing'}")
    cards = tuple(_card(path, number, entry) for number, entry in enumerate(data["card"], 1))

    kinds = {card.id: card.kind for card in cards}
    followed = {identity for card in cards for identity in card.follow_ups}
    twice = [identity for identity, count in Counter(card.id for card in cards).items() if count > 1]
    for card in cards:
        _require(card.id not in twice, path, card.id, "id", "must stand once in the file")
        for identity in card.follow_ups:
            _require(
                kinds.get(identity) == "follow-up", path, card.id, "follow_ups", f"{identity!r} is no follow-up card"
            )
        asked = card.kind != "follow-up" or card.id in followed
        _require(asked, path, card.id, "kind", "is follow-up, but no card names this one in its follow_ups")
    return cards


def to_html(text, inline=("$", "$"), display=("$$", "$$")):
    """Return a card's text as HTML, everything but its formulas, code and paragraphs escaped.

    Parameters
    ----------
    text : str
    inline, display : pair of str
        What to put around formulas.
    """

    def piece(part):
        if part == r"\$":
            return "<span>$</span>"  # in an element of its own MathJax takes it for no delimiter
        if part.startswith("$$"):
            return f"{display[0]}{part[2:-2]}{display[1]}"
        if part.startswith("$"):
            return f"{inline[0]}{part[1:-1]}{inline[1]}"
        return f"<code>{part[1:-1]}</code>" if part.startswith("`") else _EMPHASIS.sub(r"<em>\1</em>", part)

    parts = _MARKUP.split(escape(text, quote=False))
    return "".join(f"<p>{paragraph}</p>" for paragraph in "".join(map(piece, parts)).split("\n\n"))


_EMPHASIS = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])")
_MARKUP = re.compile(  # none of these runs on behind a blank line
    r"""(
        \\\$                                                # a dollar
        | `(?:(?!\n\n)[^`])+`                              # code
        | \$\$(?:(?!\n\n).)+?\$\$                         # a formula on a line of its own
        | \$(?=\S)(?:(?!\n\n)[^$])*?(?<=\S)\$(?!\d)  # a formula in the line
    )""",
    re.DOTALL | re.VERBOSE,
)


def _card(path, number, entry):
    name = entry.get("id", f"number {number}")
    for field in sorted(_REQUIRED - entry.keys()):
        _require(False, path, name, field, "is missing")
    for field in sorted(entry.keys() - _REQUIRED - _OPTIONAL):
        _require(False, path, name, field, "is no field of a card")
    _require(
        re.fullmatch(rf"{path.stem}/[a-z0-9-]+", str(name)), path, name, "id", f"must read '{path.stem}/some-name'"
    )
    _require(entry["kind"] in KINDS, path, name, "kind", f"must be one of {', '.join(KINDS)}")
    _require(entry["level"] in LEVELS, path, name, "level", f"must be one of {', '.join(LEVELS)}")
    _require(re.search(r"\b(1[89]|20)\d\d\b", str(entry["source"])), path, name, "source", "must name a year")
    claim, follow_ups = entry.get("claim"), entry.get("follow_ups", [])
    _require(
        (claim is not None) == (entry["kind"] == "trap"), path, name, "claim", "belongs to every trap and to no other"
    )
    _require(claim is None or re.fullmatch(r"[a-z]+-\d+", str(claim)), path, name, "claim", "must read 'met-1'")
    _require(isinstance(follow_ups, list), path, name, "follow_ups", "must be a list of card ids")
    texts = {field: _text(path, name, field, entry[field]) for field in ("question", "answer")}
    return Card(**entry | texts | {"follow_ups": tuple(follow_ups)})


def _text(path, name, field, value):
    _require(isinstance(value, dict) and value.keys() == set(LANGUAGES), path, name, field, "must have en and zh")
    for language, text in value.items():
        whole = f"{field}.{language}"
        _require(isinstance(text, str) and text.strip(), path, name, whole, "must be a text")
        _require(not re.search(r"[$`]", _MARKUP.sub("", text)), path, name, whole, "has a $ or ` without its partner")
        chinese = re.search(_CHINESE, text) is not None
        _require(chinese == (language == "zh"), path, name, whole, "is in the wrong language")
    return Text(**{language: _unwrap(text) for language, text in value.items()})


def _unwrap(text):
    """Join the lines of each paragraph: with a space, but with nothing beside a Chinese character."""
    text = re.sub(rf"(?<={_CHINESE})\n(?!\n)|(?<!\n)\n(?={_CHINESE})", "", text.strip())
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def _require(condition, path, name, field, what):
    if not condition:
        raise ValueError(f"{path.name}: card {name}: {field} {what}")
