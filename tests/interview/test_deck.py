import re

import pytest

from helpers.interview import deck
from helpers.interview.deck import FOLDER, LANGUAGES, find_topics, load_cards, read_cards, to_html
from helpers.topics import TOPICS

CARD = """
[[card]]
id = "metrics/one"
kind = "concept"
level = "screen"
question.en = 'Is $a < b$?'
question.zh = '$a < b$ 吗？'
answer.en = "Yes."
answer.zh = "是。"
source = "Fawcett (2006)"
"""
FOLLOW_UP = CARD.replace("metrics/one", "metrics/two").replace('"concept"', '"follow-up"')


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "metrics.toml"
        path.write_text(text, encoding="utf-8")
        read_cards.cache_clear()
        return read_cards(path)

    return read


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_file_keeps_the_schema(path):
    assert path.stem in {topic.stem for topic in TOPICS}
    cards = read_cards(path)
    assert len(cards) >= 8
    claims = [card.claim for card in cards if card.kind == "trap"]
    assert len(set(claims)) == len(claims)
    for card in cards:
        assert card.topic.stem == path.stem
        for language in LANGUAGES:
            text = getattr(card.question, language) + getattr(card.answer, language)
            assert "\n" not in text.replace("\n\n", "")
            for formula in re.findall(r"\$+(.+?)\$+", text, re.DOTALL):
                assert formula.count("{") == formula.count("}"), card.id
        chinese = card.question.zh + card.answer.zh
        assert not re.search(r"[\u4e00-\u9fff][,:;?!]", chinese), f"{card.id}: half-width punctuation after Chinese"


def test_the_traps_of_metrics_settle_every_claim():
    claims = {card.claim for card in load_cards("metrics").values()} - {None}
    assert claims == {f"met-{number}" for number in range(1, 11)}


def test_a_good_file_is_read(read):
    one, two = read(CARD.replace("source", 'follow_ups = ["metrics/two"]\nsource') + FOLLOW_UP)
    assert one.follow_ups == (two.id,) == ("metrics/two",)
    assert one.question == ("Is $a < b$?", "$a < b$ 吗？")


def test_lines_are_joined_as_the_language_wants_it(read):
    broken = CARD.replace('"Yes."', '"""\nYes,\nvery.\n\nSure."""').replace('"是。"', '"""\n是，\n对。\n\nAUC\n大。"""')
    (card,) = read(broken)
    assert card.answer == ("Yes, very.\n\nSure.", "是，对。\n\nAUC大。")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("card =\n", r"metrics.toml: Invalid value \(at line 1"),
        ("", r"metrics.toml: must hold \[\[card\]\] tables"),
        (CARD + "[other]", "metrics.toml: .*other"),
        (CARD + CARD, "card metrics/one: id must stand once"),
        (CARD.replace("metrics/one", "svm/one"), "card svm/one: id must read 'metrics/"),
        (CARD.replace('id = "metrics/one"', ""), "card number 1: id is missing"),
        (CARD.replace('"concept"', '"riddle"'), "card metrics/one: kind must be one of concept"),
        (CARD.replace('"screen"', '"easy"'), "card metrics/one: level must be one of screen"),
        (CARD.replace("(2006)", ""), "card metrics/one: source must name a year"),
        (CARD.replace('answer.zh = "是。"', ""), "card metrics/one: answer must have en and zh"),
        (CARD.replace('"是。"', '"Yes."'), "card metrics/one: answer.zh is in the wrong language"),
        (CARD.replace('"Yes."', '""'), "card metrics/one: answer.en must be a text"),
        (CARD.replace('"Yes."', "'It costs $5.'"), r"card metrics/one: answer.en has a \$"),
        (CARD.replace('"Yes."', "'From $5 to $6.'"), r"card metrics/one: answer.en has a \$"),
        (CARD.replace('"Yes."', '"""`x\n\ny`"""'), "card metrics/one: answer.en has a .* without its partner"),
        (CARD.replace('"concept"', '"trap"'), "card metrics/one: claim belongs to every trap and to no other"),
        (CARD + 'claim = "met-1"', "card metrics/one: claim belongs to every trap and to no other"),
        (CARD.replace('"concept"', '"trap"') + 'claim = "1"', "card metrics/one: claim must read"),
        (CARD + 'follow_ups = ["metrics/two"]', "card metrics/one: follow_ups 'metrics/two' is no follow-up"),
        (CARD + FOLLOW_UP, "card metrics/two: kind is follow-up, but no card names this one"),
        (CARD + 'hint = "x"', "card metrics/one: hint is no field"),
    ],
)
def test_a_broken_file_is_named_with_card_and_field(read, text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


def test_topics_are_found_by_stem():
    assert [topic.number for topic in find_topics(("losses", "svm"))] == [1, 17]
    assert find_topics() == list(TOPICS)
    assert all(card.topic.stem == "metrics" for card in load_cards("metrics").values())
    assert load_cards().keys() >= load_cards("metrics").keys()


def test_an_unknown_topic_is_refused_with_what_comes_close():
    with pytest.raises(ValueError, match=r"topics: there is no topic 'metric'; did you mean 'metrics'"):
        load_cards("metric")
    with pytest.raises(ValueError, match=r"'svm'.*'swin'"):
        find_topics([7])


def test_a_topic_without_a_file_has_no_cards(monkeypatch, tmp_path):
    monkeypatch.setattr(deck, "FOLDER", tmp_path)
    assert load_cards("metrics") == {}


def test_a_dollar_is_no_formula():
    assert to_html("from $5 to $6") == "<p>from $5 to $6</p>"
    assert to_html(r"a \$5 note, $x$") == "<p>a <span>$</span>5 note, $x$</p>"


def test_code_and_formulas_end_before_a_blank_line():
    assert to_html("a `b\n\nc` d") == "<p>a `b</p><p>c` d</p>"
    assert to_html("a $b\n\nc$ d") == "<p>a $b</p><p>c$ d</p>"


def test_text_is_escaped_and_marked_up():
    assert to_html("a < b & $x < y$ `p<q`\n\nlast") == "<p>a &lt; b &amp; $x &lt; y$ <code>p&lt;q</code></p><p>last</p>"
    assert to_html("$$x$$ or $y$ in `$z$`", ("(", ")"), ("[", "]")) == "<p>[x] or (y) in <code>$z$</code></p>"


def test_emphasis_is_marked_up_and_products_are_not():
    assert to_html("the *same* sample") == "<p>the <em>same</em> sample</p>"
    for text in ("2 * 3 * 4", "a*b*c", "`x * y * z`", "$a*b*c$", "**kwargs"):
        assert "<em>" not in to_html(text), text
