"""Secrets of requests, in texts that functions make of them."""

import base64
from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limiter.lua.messages import LONGEST_DETAIL, LONGEST_LINE
from limiter.lua.redaction import PIECE, Secrets
from limiter.lua.request import LuaRequest, LuaResponse
from tests.lua.running import Bench

MARK = "[redacted]"
TOKEN = "eyJ" + "".join(f"{number:04x}" for number in range(400))
REQUEST = LuaRequest(
    target="/v1?key=ab%2Bcd%2Fef+gh&model=gpt-4o&s%69g=q-secret&x_t=shown",
    headers=(
        ("authorization", "Bearer sk-hush"),
        ("x-api-key", "k-hush"),
        ("cookie", "sid=c-hush; big=per%20cent%2Fed"),
        ("x-token", 'with"quote\\and/slash/es'),
        ("x-secret", "\udcff\udcfegrüße"),
        ("proxy-authorization", "basic " + base64.b64encode(b"ann:pa:ss-word").decode()),
        ("x-prompt-tokens", "100000"),
        ("x-plain", "shown-as-it-is"),
    ),
    response=LuaResponse(status=200, headers=(("set-cookie", "sid=fresh-one; Path=/"),)),
)
SECRETS = Secrets(REQUEST)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"Bearer sk-hush", MARK),
        (b"BEARER SK-HUSH", MARK),
        (b"key is sk-hush!", f"key is {MARK}!"),
        (b"expected Bearer", "expected Bearer"),
        (b"k-hush, c-hush, q-secret", f"{MARK}, {MARK}, {MARK}"),
        (b"key=ab%2Bcd%2Fef+gh&x", f"key={MARK}&x"),
        (b"ab+cd/ef gh", MARK),
        (b"ab+cd/ef+gh", MARK),
        (b"ab%2bcd%2fef%20gh", MARK),
        (b"per cent/ed", MARK),
        (b"per%20cent%2Fed", MARK),
        (b'a with"quote\\and/slash/es', f"a {MARK}"),
        (b'a with\\"quote\\\\and\\/slash\\/es', f"a {MARK}"),
        ("\udcff\udcfegrüße".encode(errors="surrogateescape"), MARK),
        (b"user ann, password pa:ss-word", f"user ann, password {MARK}"),
        (b"fresh-one", MARK),
        (b"shown shown-as-it-is gpt-4o 100000", "shown shown-as-it-is gpt-4o 100000"),
        (b"", ""),
    ],
)
def test_secrets_are_left_out(text: bytes, shown: str) -> None:
    assert SECRETS.redacted(text, cut=False) == shown


@pytest.mark.parametrize(("cut", "shown"), [(True, f"with {MARK}"), (False, "with sk-h")])
def test_the_beginning_of_a_secret_at_the_end_of_a_cut_text(cut: bool, shown: str) -> None:
    assert SECRETS.redacted(b"with sk-h", cut=cut) == shown


def test_a_request_without_secrets_hides_nothing() -> None:
    assert Secrets(LuaRequest()).redacted(b"two\nlines \xff", cut=True) == "two\\nlines \\ufffd"


LETTERS = st.text(ascii_letters + digits + "+/=._-", min_size=PIECE, max_size=60)


@given(secret=LETTERS, around=st.text(" ~#", max_size=12), data=st.data())
def test_no_piece_of_a_secret_is_shown(secret: str, around: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(secret) - PIECE))
    piece = secret[start : start + data.draw(st.integers(PIECE, len(secret)))]
    shown = Secrets(LuaRequest(headers=(("x-api-key", secret),))).redacted(
        f"{around}{piece}{around}".encode(), cut=False
    )
    assert shown == f"{around}{MARK}{around}"


@given(secret=LETTERS, before=st.text(" ~#", max_size=12), size=st.integers(1, 60))
def test_no_beginning_of_a_secret_is_shown_where_a_text_is_cut(secret: str, before: str, size: int) -> None:
    text = f"{before}{secret[:size]}"
    assert Secrets(LuaRequest(headers=(("x-api-key", secret),))).redacted(text.encode(), cut=True) == before + MARK


@given(text=st.binary(max_size=60).filter(lambda text: not {*text} & {*b"#%"}), cut=st.booleans())
def test_other_texts_stay(text: bytes, cut: bool) -> None:
    secrets = Secrets(LuaRequest(headers=(("x-api-key", "#" * PIECE),)))
    assert secrets.redacted(text, cut=cut) == Secrets(LuaRequest()).redacted(text, cut=cut)


@pytest.mark.parametrize(
    "source",
    [
        "kong.log.notice('who: ', kong.request.get_header('authorization'))",
        "kong.log.inspect(kong.request.get_headers())",
        "kong.log(string.format('%q', kong.request.get_header('authorization')))",
        "print(require('cjson').encode(kong.request.get_headers()))",
        "kong.log(kong.request.get_query_arg('key'), ' ', kong.request.get_raw_query())",
        "kong.log(ngx.escape_uri(kong.request.get_query_arg('key')))",
        "kong.log(('x'):rep(990), kong.request.get_header('authorization'))",
        "error('bad ' .. kong.request.get_header('authorization'))",
        "error(kong.request.get_query_arg('key'), 0)",
        "error(('x'):rep(494) .. kong.request.get_header('authorization'):sub(8), 0)",
    ],
)
def test_a_long_secret_that_a_function_shows(bench: Bench, source: str) -> None:
    request = LuaRequest(headers=(("authorization", f"Bearer {TOKEN}"),), target=f"/v1?key={TOKEN.replace('a', '%2F')}")
    reply = bench.reply(f"{source} return 1", request)
    texts = [(text, LONGEST_LINE) for _, text in reply.lines] + [(reply.detail, LONGEST_DETAIL)]
    for text, longest in texts:
        shown = Secrets(request).redacted(text, cut=len(text) >= longest)
        assert len(text) <= longest
        assert not text or MARK in shown
        assert "eyJ" not in shown
        assert not any(TOKEN[at : at + 4] in shown for at in range(0, len(TOKEN), 4))
