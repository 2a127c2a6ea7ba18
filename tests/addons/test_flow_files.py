"""Recorded exchanges as mitmproxy's flow files."""

import gzip
import io
import json
from pathlib import Path

from mitmproxy import http, tcp, websocket
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow
from wsproto.frame_protocol import Opcode

from addons.cli import FORMATS
from addons.flow_files import read_flows
from limiter.metering.formats import Recordings
from limiter.metering.recording import Damaged, Frame, Recording
from tests.metering.recordings import ANSWER, ASKED, CHAT


def chat() -> http.HTTPFlow:
    """One exchange, its answer compressed on the wire."""
    flow = tflow.tflow()
    flow.request = http.Request.make("POST", CHAT, json.dumps(ASKED), {"Content-Type": "application/json"})
    flow.request.timestamp_start = 1_700_000_000
    packed = gzip.compress(json.dumps(ANSWER).encode())
    flow.response = http.Response.make(200, b"", {"Content-Type": "application/json", "Content-Encoding": "gzip"})
    flow.response.raw_content = packed
    return flow


def written(*flows: http.HTTPFlow | tcp.TCPFlow) -> bytes:
    file = io.BytesIO()
    writer = FlowWriter(file)
    for flow in flows:
        writer.add(flow)
    return file.getvalue()


def read(data: bytes) -> list[Recording | Damaged]:
    return list(read_flows(io.BytesIO(data), "f"))


def one(flow: http.HTTPFlow) -> Recording:
    (found,) = read(written(flow))
    assert isinstance(found, Recording)
    return found


def test_a_flow_is_read() -> None:
    """Bodies stay as they were on the wire, with the header that says how."""
    flow = chat()
    found = one(flow)

    assert (found.id, found.method, found.url, found.status) == (flow.id, "POST", CHAT, 200)
    assert found.response_headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(found.response_body)) == ANSWER
    assert found.started is not None
    assert found.started.timestamp() == 1_700_000_000


def test_bodies_that_were_not_kept() -> None:
    """Streams keep none unless told to."""
    flow = chat()
    assert flow.response is not None
    flow.response.raw_content = None

    assert "the response's body was not recorded" in one(flow).problem


def test_exchanges_without_an_answer() -> None:
    """What went wrong is told."""
    flow = chat()
    flow.response, flow.error = None, tflow.terr("gone")

    assert (one(flow).status, one(flow).problem) == (None, "gone")


def test_messages_of_a_websocket() -> None:
    """Both directions."""
    flow = tflow.twebsocketflow()
    assert flow.websocket is not None
    flow.websocket.messages = [
        websocket.WebSocketMessage(Opcode.TEXT, True, b"{}"),
        websocket.WebSocketMessage(Opcode.BINARY, False, b"[]"),
    ]

    assert one(flow).frames == (Frame(True, b"{}"), Frame(False, b"[]"))


def test_other_flows_are_passed_over() -> None:
    """TCP is no exchange."""
    assert len(read(written(tflow.ttcpflow(), chat()))) == 1


def test_damaged_files() -> None:
    """What is before the damage counts."""
    found = read(written(chat(), chat())[:-100])

    assert isinstance(found[0], Recording)
    assert isinstance(found[-1], Damaged)


def test_flow_files_show_by_their_beginning(tmp_path: Path) -> None:
    """Whatever they are called."""
    (tmp_path / "a.json").write_bytes(written(chat()))

    with Recordings(str(tmp_path / "a.json"), FORMATS) as recordings:
        assert len(list(recordings)) == 1
