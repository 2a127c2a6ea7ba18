"""Documents: values, lines, and everything that could hide a mistake."""

from contextlib import suppress
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from limiter.config import documents
from limiter.config.documents import Document, read
from limiter.config.notices import ConfigError, Place


def problems(text: str) -> list[str]:
    """What is wrong with a text."""
    with pytest.raises(ConfigError) as caught:
        read(text, "f")
    return [str(problem) for problem in caught.value.problems]


def only(text: str) -> Document:
    """The one document of a text."""
    (document,) = read(text, "f")
    return document


def test_every_value_has_its_line() -> None:
    """A value of a mapping stands where its key does."""
    document = only("a:\n  - b: 1\n    c:\n      2\n  -\n    d\n")

    assert document.data == {"a": [{"b": 1, "c": 2}, "d"]}
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("a", 0): 2,
        ("a", 0, "b"): 2,
        ("a", 0, "c"): 3,
        ("a", 1): 6,
    }


def test_a_missing_value_has_the_place_around_it() -> None:
    """An error about an absent field points at what lacks it."""
    document = only("a:\n  - b: 1\n")

    assert document.place(("a", 0, "missing", "deeper")) == Place("f", 2)
    assert document.place(("z",)) == Place("f", 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("12", 12),
        ("-3", -3),
        ("012", "012"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2024-01-01", "2024-01-01"),
        ("0.1", Decimal("0.1")),
        (".5", Decimal("0.5")),
        ("1e3", Decimal(1000)),
        ("1e9999", "1e9999"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("9" * 50, "9" * 50),
        ("'12'", "12"),
        ('"true"', "true"),
        ("=", "="),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!float 3", 3),
    ],
)
def test_unquoted_values(text: str, value: object) -> None:
    """Numbers, booleans and nothing are what YAML 1.2 says they are; the rest is text."""
    found = only(f"a: {text}").data["a"]

    assert found == value
    assert type(found) is type(value)


def test_fractions_are_exact() -> None:
    """A price does not pass through binary floating point."""
    assert only("a: 0.1").data["a"] * 3 == Decimal("0.3")


def test_keys_are_texts() -> None:
    """A key is what was written."""
    assert only("{1: a, true: b, 0.50: c, on: d, '': e}").data == {
        "1": "a",
        "true": "b",
        "0.50": "c",
        "on": "d",
        "": "e",
    }


def test_several_documents() -> None:
    """Empty ones are left out, and each knows its lines."""
    first, second = read("a: 1\n---\n# nothing\n---\nb: 2\n...\n---\n", "f")

    assert (first.data, second.data) == ({"a": 1}, {"b": 2})
    assert second.lines["b",] == 5


def test_nothing_in_a_text() -> None:
    """Comments are no document."""
    assert read("# a\n", "f") == []
    assert read("", "f") == []


def test_byte_order_mark_and_line_ends_of_other_systems() -> None:
    """Files from other systems are read as they are meant."""
    assert only("\ufeffa: 1\r\nb: 2\r\n").data == {"a": 1, "b": 2}


def test_duplicate_keys_name_both_lines() -> None:
    """A key that is set twice would silently lose a value."""
    assert problems("a: 1\nb: 2\na: 3\n") == ["f:3: a: found the key twice, first on line 1, expected it once"]


def test_merged_keys_may_be_set_again() -> None:
    """`<<` gives defaults, the earlier source first."""
    document = only("- &x {a: 1, b: 2}\n- &y {b: 3, c: 4}\n- {<<: [*x, *y], c: 5}\n- {<<: *x}\n")

    assert document.data[2] == {"a": 1, "b": 2, "c": 5}
    assert document.data[3] == {"a": 1, "b": 2}
    assert document.place((2, "a")) == Place("f", 3)


def test_a_quoted_merge_sign_is_a_key() -> None:
    """Only the bare sign merges."""
    assert only("'<<': {a: 1}").data == {"<<": {"a": 1}}


def test_aliases_share_their_value() -> None:
    """An alias stands for what it names, with the line of the alias."""
    document = only("a: &x\n  b: 1\nc: *x\n")

    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.place(("c", "b")) == Place("f", 3)


def test_anchors_end_with_their_document() -> None:
    """An alias cannot reach into the document before."""
    assert problems("a: &x 1\n---\nb: *x\n") == ["f:3: b: found the alias *x, which names no anchor before it"]


def test_multiplying_aliases_are_stopped() -> None:
    """A billion laughs in a few lines."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]

    assert problems("\n".join(lines)) == ["f:6: found more than 1,000,000 values, aliases counted wherever they stand"]


@pytest.mark.parametrize("text", ["[" * 900, "{a: " * 900, "- " * 900 + "x", "[" * 100_000, "- " * 100_000])
def test_deep_nesting_is_stopped(text: str) -> None:
    """Neither our stack nor the parser's runs over."""
    (problem,) = problems(text)

    assert "nesting" in problem


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a:\n\tb: 1\n", 2, "found a tab in the indentation, expected spaces"),
        ("a: b: c\n", 1, "invalid YAML"),
        ("a: 1\nb: [1, 2\n", 3, "begins on line 2"),
        ("a: 'b\n\n", 3, "begins on line 1"),
        ("a: 1\nb: \x00\n", 2, "control character"),
        ("a: @b\n", 1, "invalid YAML"),
        ("%YAML 3.0\n---\na\n", 1, "invalid YAML"),
    ],
)
def test_syntax_errors_have_a_line(text: str, line: int, part: str) -> None:
    """The first syntax error ends the reading."""
    (problem,) = problems(text)

    assert problem.startswith(f"f:{line}: ")
    assert part in problem


def test_all_misuses_are_told_at_once() -> None:
    """What is no syntax error does not end the reading."""
    assert problems("a: !env X\na: *y\n[1]: 2\n~: 3\n<<: 4\n!x b: 5\nc: !set {}\n") == [
        "f:1: a: found the tag !env, expected no tag or one of !!str !!int !!float !!bool !!null",
        "f:2: a: found the alias *y, which names no anchor before it",
        "f:2: a: found the key twice, first on line 1, expected it once",
        "f:3: found a list, a mapping or an alias as a key, expected a name",
        "f:4: found an empty key, expected a name",
        'f:5: ["<<"]: found something else, expected a mapping or a list of mappings',
        "f:6: found a key with the tag !x, expected no tag",
        "f:7: c: found the tag !set, expected no tag",
    ]


def test_json_is_read() -> None:
    """Tabs, escapes and all."""
    assert only('{\n\t"a": [1, 2.50, true, null, "x\\/y\\u00e9"]\n}').data == {
        "a": [1, Decimal("2.50"), True, None, "x/yé"]
    }


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
def test_both_parsers_agree(loader: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libyaml the same comes out."""
    monkeypatch.setattr(documents, "_LOADER", loader)
    document = only("a: &x [1, '2', !!str 3, ~]\nb: {<<: {c: yes}}\n'<<': |\n  text\nd: *x\n")

    assert document.data == {"a": [1, "2", "3", None], "b": {"c": "yes"}, "<<": "text\n", "d": [1, "2", "3", None]}
    assert problems("a: 'b") == ["f:1: invalid YAML: while scanning a quoted scalar, found unexpected end of stream"]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_what_a_library_writes_is_read(value: object) -> None:
    """Documents mean here what they mean elsewhere, where elsewhere agrees with itself."""
    text = yaml.safe_dump({"root": value}, default_flow_style=None, allow_unicode=True)

    assert only(text).data == {"root": value}


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
    | st.text("[]{}:,-&*!|>'\"%@#? \n\tab1.~", max_size=40)
)
def test_junk_is_read_or_refused(text: str) -> None:
    """Nothing but a ConfigError comes of any text."""
    with suppress(ConfigError):
        assert isinstance(read(text, "f"), list)
