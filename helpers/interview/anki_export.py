"""The cards as a deck for Anki. Importing it again updates the notes and keeps the schedule that Anki has for them."""

from html import escape
from pathlib import Path

import genanki

from .deck import load_cards, to_html
from .progress import Progress, check_outside

# Anki knows a note type by its id and its fields by their order: frozen for good. A new field takes a spare's place.
_MODEL_ID = 1_768_305_127
_DECK_ID = 1_768_305_200  # plus the topic's number
_FIELDS = "Id Labels QuestionEn QuestionZh AnswerEn AnswerZh Source Spare1 Spare2 Spare3 Spare4".split()

_FRONT = '<div class="quiet">{{Labels}}</div>{{QuestionEn}}<div lang="zh">{{QuestionZh}}</div>'
_BACK = '{{FrontSide}}<hr id="answer">{{AnswerEn}}<div lang="zh">{{AnswerZh}}</div><div class="quiet">{{Source}}</div>'
_STYLE = """.card { font-family: sans-serif; font-size: 18px; line-height: 1.5; max-width: 42em; margin: 0 auto; }
.quiet { font-size: 13px; opacity: 0.7; }"""


def export_anki(path, topics=(), *, progress=None):
    r"""Write an Anki package (.apkg), one deck for each topic that has cards, and say where and how much.

    A note is known by its card's id, so that a card edited since the last import is updated and never doubled. Anki
    skips a package that is not newer than what it holds, so each export is dated later than all before it.

    Parameters
    ----------
    path : path_like
        Replaced if it exists.
    topics : str or iterable of str
        Stems of topics, such as "metrics"; all of them if none is named.
    progress : Progress, optional
        Remembers the time of the last export; by default the learner's own.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If a topic is unknown, or none of them has a card, or `path` lies in Viva's own folder.
    OSError
        If `path` cannot be written.
    """
    cards = load_cards(topics)
    if not cards:
        raise ValueError("topics: there are no cards to export yet")
    model = genanki.Model(
        _MODEL_ID,
        "Viva",
        fields=[{"name": name} for name in _FIELDS],
        templates=[{"name": "Card", "qfmt": _FRONT, "afmt": _BACK}],
        css=_STYLE,
    )
    decks = {}
    for card in cards.values():
        topic = card.topic
        name = f"Viva::{topic.number:02} {topic.title}"
        deck = decks.setdefault(topic, genanki.Deck(_DECK_ID + topic.number, name))
        deck.add_note(genanki.Note(model, _fields(card), guid=genanki.guid_for(card.id), tags=[card.kind, card.level]))
    path = Path(path).expanduser().absolute()
    check_outside(path)
    genanki.Package(list(decks.values())).write_to_file(path, timestamp=(progress or Progress()).export_stamp())
    print(f"{len(cards)} cards in {len(decks)} decks written to {path}")
    return path


def _fields(card):
    labels = " · ".join(filter(None, (card.topic.title, card.kind, card.level, card.claim)))
    texts = [to_html(text, (r"\(", r"\)"), (r"\[", r"\]")) for text in (*card.question, *card.answer)]
    return [card.id, escape(labels), *texts, escape(card.source), *[""] * 4]
