from datetime import UTC, datetime

import pytest
from anki.collection import Collection, ImportAnkiPackageOptions, ImportAnkiPackageRequest

from helpers.interview import anki_export as module
from helpers.interview.anki_export import export_anki
from helpers.interview.deck import Text, load_cards
from helpers.interview.progress import Progress
from helpers.topics import ROOT

CARDS = load_cards("metrics")


@pytest.fixture
def progress(tmp_path):
    """All exports of a test fall into the same second."""
    return Progress(tmp_path / "progress.sqlite3", clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def collection(tmp_path):
    collection = Collection(str(tmp_path / "collection.anki2"))
    yield collection
    collection.close()


def load(collection, path):
    log = collection.import_anki_package(
        ImportAnkiPackageRequest(package_path=str(path), options=ImportAnkiPackageOptions())
    ).log
    return {kind: len(getattr(log, kind)) for kind in ("new", "updated", "duplicate", "conflicting")}


def note(collection, card_id):
    (identity,) = collection.find_notes(f"Id:{card_id}")
    return collection.get_note(identity)


def test_a_second_import_makes_no_duplicates(collection, progress, tmp_path):
    path = export_anki(tmp_path / "viva.apkg", "metrics", progress=progress)
    assert load(collection, path) == {"new": len(CARDS), "updated": 0, "duplicate": 0, "conflicting": 0}
    assert load(collection, path)["new"] == 0
    again = load(collection, export_anki(tmp_path / "again.apkg", "metrics", progress=progress))
    assert again["new"] == again["duplicate"] == again["conflicting"] == 0
    assert collection.note_count() == collection.card_count() == len(CARDS)
    assert {deck.name for deck in collection.decks.all_names_and_ids()} >= {"Viva::05 Metrics and ROC"}


def test_an_edited_answer_is_updated(collection, progress, tmp_path, monkeypatch):
    edited = CARDS["metrics/accuracy"]._replace(answer=Text("Edited: $a<b$.", "改过。"))
    load(collection, export_anki(tmp_path / "a.apkg", "metrics", progress=progress))
    before = note(collection, edited.id)
    monkeypatch.setattr(module, "load_cards", lambda topics: CARDS | {edited.id: edited})
    load(collection, export_anki(tmp_path / "b.apkg", "metrics", progress=progress))
    after = note(collection, edited.id)
    assert (after.id, after["AnswerEn"], after["AnswerZh"]) == (
        before.id,
        r"<p>Edited: \(a&lt;b\).</p>",
        "<p>改过。</p>",
    )
    assert collection.note_count() == len(CARDS)


def test_what_anki_shows(collection, progress, tmp_path):
    load(collection, export_anki(tmp_path / "viva.apkg", progress=progress))
    shown = note(collection, "metrics/auc-is-mann-whitney").cards()[0]
    assert r"\[AUC = \frac{1}{PN}" in shown.answer()
    assert r"\(1/P\)" in shown.answer()
    assert "证明" in shown.question()
    assert "Hanley and McNeil" in shown.answer()
    assert "Hanley and McNeil" not in shown.question()
    for card in CARDS.values():
        fields = note(collection, card.id)
        assert "$" not in fields["AnswerEn"] + fields["QuestionZh"]
        assert fields.has_tag(card.kind)


def test_the_note_type_is_frozen():
    # An update in Anki's users' collections depends on every one of these: never change them.
    assert module._MODEL_ID == 1768305127
    assert module._DECK_ID == 1768305200
    assert " ".join(module._FIELDS) == (
        "Id Labels QuestionEn QuestionZh AnswerEn AnswerZh Source Spare1 Spare2 Spare3 Spare4"
    )
    assert module.genanki.guid_for("metrics/accuracy") == "kZ.847y/wF"


def test_bad_input_is_refused(progress, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="did you mean 'metrics'"):
        export_anki(tmp_path / "x.apkg", "metric", progress=progress)
    monkeypatch.setattr(module, "load_cards", lambda topics: {})
    with pytest.raises(ValueError, match="no cards to export"):
        export_anki(tmp_path / "x.apkg", "metrics", progress=progress)
    assert not (tmp_path / "x.apkg").exists()


def test_an_export_says_where_and_how_much_and_never_lands_in_the_repository(tmp_path, progress, capsys):
    path = export_anki(tmp_path / "x.apkg", "metrics", progress=progress)
    assert capsys.readouterr().out == f"{len(load_cards('metrics'))} cards in 1 decks written to {path}\n"
    progress.export_json(tmp_path / "x.json")
    assert capsys.readouterr().out == f"0 answers and 0 attempts written to {tmp_path / 'x.json'}\n"
    for export in (lambda path: export_anki(path, "metrics", progress=progress), progress.export_json):
        with pytest.raises(ValueError, match="lies in Viva's own folder"):
            export(ROOT / "notebooks/x.out")
    assert not (ROOT / "notebooks/x.out").exists()
