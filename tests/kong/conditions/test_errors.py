"""What is no condition, and what is said about it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.kong.conditions.condition import Expression


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at character 1: found the end, expected a value"),
        ("http.method ==", "at character 15: found the end, expected a value"),
        ('http.method = "GET"', "at character 13: found '=', which means nothing here"),
        ('http.method == "GET', "at character 16: found '\"', which means nothing here"),
        ('(http.method == "GET"', "at character 22: found the end, expected ')'"),
        ('http.method == "GET" 1', "at character 22: found '1', expected an operator or the end"),
        ('http.path ^= "/api"', 'at character 11: ^= is of Kong 3.14: write a.startsWith("b") for a ^= "b"'),
        ('http.path =^ ".json"', 'at character 11: =^ is of Kong 3.14: write a.endsWith("b") for a =^ "b"'),
        ('http.path ~ r#"^/a"#', 'at character 11: ~ is of Kong 3.14: write a.matches("b") for a ~ "b"'),
        ('http.metod == "GET"', "at character 1: found the unknown field http.metod, expected one of http.method, "),
        ('method == "GET"', "at character 1: found the unknown field method, expected"),
        ("http.headers == null", "at character 1: found the unknown field http.headers, expected"),
        ("http.headers.a.b == null", "at character 1: found the unknown field http.headers.a.b, expected"),
        ("http.path_segments.len == 3", "at character 1: found the unknown field http.path_segments.len, expected"),
        ("http.headers[http.method] == null", "at character 1: found the unknown field http.headers, expected"),
        ("kong.ctx.shared.flag == 1", "found kong.ctx.shared.flag: is set by plugins that do not run here"),
        ("has(principal.metadata.tier)", "found principal.metadata.tier: principals of Konnect are not known here"),
        ("plugins.key_auth.is_matched == true", "which other plugins there are is not known here"),
        ("net.dst.port == 443", "what the client's connection was is not known here"),
        ('net.tls.sni == "a"', "what the client's connection was is not known here"),
        ("http.method", "at character 1: found a value of the type string, expected bool"),
        ("null", "at character 1: found a value of the type null, expected bool"),
        ('http.method && http.path == "/"', "found a value of the type string, expected bool"),
        ("!http.path", "found a value of the type string, expected bool"),
        ('http.method in "GET"', "at character 16: found a value of the type string, expected list"),
        ("http.path < 1", "found a value of the type int, expected string"),
        ('null < "a"', "found a value of the type null, expected string or int or bool"),
        ('http.path + 1 == "a"', "found a value of the type int, expected string"),
        ('http.path.all(s, s == "a")', "found a value of the type string, expected list"),
        ("http.path_segments.all(s, 1)", "found a value of the type int, expected bool"),
        ('http.path_segments.all("s", true)', "all() takes the name of a variable first"),
        ("http.path_segments.exists(s, s.name == 1)", "only fields of a request have parts"),
        ("s == 1", "found the unknown field s"),
        ('http.path.matches("(")', "at character 19: found a wrong regular expression: missing ): ("),
        ("http.path.matches(http.method)", "matches() takes an expression that is written out"),
        ("http.path.lower() == ''", "found lower() with 0 arguments, expected one of contains, startsWith"),
        ("startsWith(http.path, '/')", "found startsWith() with 2 arguments, expected one of"),
        ("has(http.method == 'GET')", "has() takes the name of a field"),
        ("true && default(http.path == '/', false)", "default() has to be around the whole condition"),
        ("default(http.path == '/')", "default() takes an expression, and true or false"),
        ("default(http.path == '/', http.path == '/')", "default() takes an expression, and true or false"),
        ("1.5 == 1", "at character 1: found the number 1.5, expected a whole one"),
        ("1u == 1", "at character 1: found the number 1u, expected a whole one"),
        ("9223372036854775808 == 1", "expected a number of 64 bits"),
        ("1 - 1 == 0", "at character 3: found '-', expected an operator or the end"),
        ("true ? true : false", "at character 6: found '?', which means nothing here"),
        ("{} == 1", "found '{', which means nothing here"),
        ("in == 1", "found 'in', expected a value"),
        ("-http.path", "found 'http', expected a value"),
        ("http. == 1", "found '==', expected a name"),
        ("[1 2] == 1", "found '2', expected ','"),
        (r'"\q" == ""', "found a \\ that no escape begins with"),
        (r'"\ud800" == ""', r"found \ud800, which is no character"),
        ("(" * 30 + "true" + ")" * 30, "more than 24 levels of brackets"),
        ("a" + ".a" * 30, "more than 24 parts in a row"),
        ("true" + " " * 1021, "at character 1025: longer than 1024 characters"),
    ],
)
def test_message(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="at character") as caught:
        Expression.parse(text)
    assert message in str(caught.value)


def test_long_ones_are_fine() -> None:
    """Flat ones in length, deep ones in the time that they take to compile."""
    deep = "(" * 23 + "1 < 2" + ") < true" * 23
    for text in (" || ".join(['""==""'] * 102), "!" * 1000 + "true", "+".join(["1"] * 500) + "==1", deep):
        assert Expression.parse(text).text == text


@given(st.text(alphabet="ab.\"'()[]!=<>&|+-,01 \\rn/~^", max_size=40))
def test_nothing_else_is_raised(text: str) -> None:
    with suppress(ValueError):
        Expression.parse(text)
