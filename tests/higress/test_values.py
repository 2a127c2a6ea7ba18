"""Values as the gateway reads them off a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.dimensions import reader
from limiter.higress.query import parameters
from limiter.higress.values import canonical, written
from tests.higress.asking import facts


def read(dimension: str, *fields: tuple[str, str], **more: str) -> str:
    return reader(dimension)(facts(*fields, **more))


def test_the_first_of_repeated_headers_counts_whatever_its_case() -> None:
    fields = (("x-team", "a, b"), ("x-team", "c"))
    assert read("higress-header:X-Team", *fields) == "a, b"
    assert read("higress-header:x-other", *fields) == ""
    assert read("higress-has:header:X-Team", ("x-team", "")) == "yes"
    assert read("higress-has:header:X-Team") == ""


@pytest.mark.parametrize(
    ("name", "value"), [(":authority", "h:8080"), (":PATH", "/v1/chat/completions?a=1"), (":method", "POST")]
)
def test_parts_of_a_request_are_headers_to_a_gateway(name: str, value: str) -> None:
    request = facts(("host", "h:8080"), target="/v1/chat/completions?a=1", method="POST")
    assert reader(f"higress-header:{name}")(request) == value
    assert reader(f"higress-has:header:{name}")(request) == "yes"


def test_without_a_host_field_the_authority_is_the_host_that_is_called() -> None:
    assert read("higress-header::authority") == "api.openai.com"


@pytest.mark.parametrize(
    ("told", "trusted", "model", "value"),
    [
        (None, True, "m", "m"),
        (None, False, "m", "m"),
        ("other", True, "m", "other"),
        ("other", False, "m", "m"),
        ("other", False, "", "other"),
        (None, False, "", None),
        (None, False, "m\ud800", "m\ufffd"),
    ],
)
def test_the_header_of_the_model_is_what_the_gateway_would_set(
    told: str | None, trusted: bool, model: str, value: str | None
) -> None:
    """What a client says of it itself does not count, where the model is known."""
    fields = [] if told is None else [("x-higress-llm-model", told)]
    request = facts(*fields, trusted=trusted, model=model)
    assert reader("higress-header:X-Higress-LLM-Model")(request) == (value or "")
    assert reader("higress-has:header:x-higress-llm-model")(request) == ("" if value is None else "yes")


@pytest.mark.parametrize(
    ("target", "name", "value"),
    [
        ("/a?apikey=x", "apikey", "x"),
        ("/a?apikey=x", "APIKEY", None),
        ("/a?a%70ikey=x", "apikey", "x"),
        ("/a?k=1&k=2", "k", "1"),
        ("/a?k=a+b%2Bc", "k", "a b+c"),
        ("/a?k=%FF", "k", "\udcff"),
        ("/a?k", "k", ""),
        ("/a?k=", "k", ""),
        ("/a?k=b=c", "k", "b=c"),
        ("/a?&&k=1&", "k", "1"),
        ("/a?k=1;l=2", "k", None),
        ("/a?x=1&l=a;b&k=1", "k", None),
        ("/%zz?k=1", "k", None),
        ("/a?x=%zz&k=1", "k", None),
        ("/a?x=%4&k=1", "k", None),
        ("/a?k=1#f&k=2", "k", "1"),
        ("/a#?k=1", "k", None),
        ("/a?k=1#%zz", "k", None),
        ("/a?k[]=1", "k", None),
        ("/a?k[]=1", "k[]", "1"),
        ("/a?b?k=1&k=2", "k", "2"),
        ("http://h:80/a?k=1", "k", "1"),
        ("http://h:8x/a?k=1", "k", None),
        ("//x?k=1", "k", "1"),
        ("///x?k=1", "k", "1"),
        ("//x:y?k=1", "k", None),
        ("*?k=1", "k", "1"),
        ("a:b/c?k=1", "k", "1"),
        ("1:b/c?k=1", "k", None),
        ("/a\x01?k=1", "k", None),
        ("/a", "k", None),
    ],
)
def test_parameters_are_read_as_go_reads_them(target: str, name: str, value: str | None) -> None:
    assert parameters(target).get(name) == value
    assert read(f"higress-param:{name}", target=target) == (value or "")
    assert read(f"higress-has:param:{name}", target=target) == ("" if value is None else "yes")


@given(st.text(st.characters(codec="utf-8") | st.sampled_from([chr(0xDC80 + number) for number in range(128)])))
def test_any_target_can_be_read(target: str) -> None:
    for name, value in parameters(target).items():
        (name + value).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    ("header", "whole", "part"),
    [
        ("user=alice; other=value", "alice", "alice"),
        ("other=value;user=alice", "alice", "alice"),
        ("user=alice=admin; other=value", "alice=admin", "alice"),
        ("user; other=value", "", ""),
        ("user; user=alice", "alice", "alice"),
        ("user=; user=alice", "", ""),
        ("user =alice", "", ""),
        ("USER=alice", "", ""),
        ("  user=al%20ice ;", "al%20ice", "al%20ice"),
        ('user="alice"', '"alice"', '"alice"'),
        ("", "", ""),
        ("other=value", "", ""),
    ],
)
def test_cookies(header: str, whole: str, part: str) -> None:
    """Generation B cuts a value at its first equals sign."""
    assert read("higress-cookie:user", ("cookie", header)) == whole
    assert read("higress-cookie-part:user", ("cookie", header)) == part


def test_cookies_in_fields_of_their_own_are_one_header() -> None:
    assert read("higress-cookie:b", ("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")) == "2"
    assert read("higress-cookie:b") == ""


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("1.1.1.1", "1.1.1.1"),
        (" 1.1.1.1 ", "1.1.1.1"),
        ("1.1.1.1, 2.2.2.2", "1.1.1.1"),
        ("1.1.1.1 , 2.2.2.2", "1.1.1.1"),
        ("1.1.1.1:8080", "1.1.1.1"),
        ("[2001:DB8::0001]:99", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("01.1.1.1", ""),
        ("fe80::1%eth0", ""),
        ("[fe80::1%eth0]:1", ""),
        ("\t1.1.1.1", ""),
        ("unknown", ""),
        ("", ""),
        (",1.1.1.1", ""),
        ("::ffff:1.1.1.1", ""),
        ("::ffff:101:101", "1.1.1.1"),
        ("]", ""),
        ("[::1", ""),
    ],
)
def test_addresses_from_a_header(value: str, address: str) -> None:
    assert read("higress-ip:from-header-X-Forwarded-For", ("x-forwarded-for", value)) == address


def test_without_the_header_there_is_no_address() -> None:
    assert read("higress-ip:from-header-x-forwarded-for") == ""


def test_a_peer_that_is_not_trusted_has_the_address_it_connects_from() -> None:
    request = facts(("x-forwarded-for", "1.1.1.1"), peer="10.0.0.1", ip="10.0.0.1", trusted=False)
    assert reader("higress-ip:from-header-x-forwarded-for")(request) == "10.0.0.1"


def test_the_remote_address_is_the_peers() -> None:
    request = facts(("x-forwarded-for", "1.1.1.1"), peer="10.0.0.1", ip="1.1.1.1")
    assert reader("higress-ip:from-remote-addr")(request) == "10.0.0.1"


@given(st.ip_addresses())
def test_a_canonical_address_stays(address: object) -> None:
    text = canonical(str(address).replace("::ffff:", "::fffe:"))
    assert canonical(text) == text


@given(st.text())
def test_any_name_can_be_written(name: str) -> None:
    """Whatever the name of a parameter is, it is found under it."""
    assert read(f"higress-param:{written(name)}", target="/a?b=1") == ("1" if name == "b" else "") if name else True


def test_a_name_with_a_bar() -> None:
    assert read(f"higress-param:{written('a|b%7C')}", target="/a?a%7Cb%257C=1") == "1"


def test_the_host_is_read_without_its_port() -> None:
    assert read("higress:host", host="a.example.com:8080") == "a.example.com"
    assert read("higress:host", host="[::1]:80") == "[::1]"
    assert read("higress:host", host="[::1]") == "[::1]"
    with pytest.raises(ValueError, match="part"):
        reader("higress:port")
