"""Files of recorded exchanges, whatever they hold."""

import gzip
from pathlib import Path

import pytest

from limiter.metering.formats import Recordings, UnreadableError
from limiter.metering.recording import Damaged
from tests.metering.recordings import entry, exchange, har, jsonl


def ids(path: Path) -> list[str]:
    with Recordings(str(path)) as recordings:
        return [item.id for item in recordings]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_contents_decide(tmp_path: Path, pack: type[bytes]) -> None:
    """Not names: plain or compressed."""
    (tmp_path / "a").write_bytes(pack(jsonl(exchange(), exchange(id="two"))))
    (tmp_path / "b.jsonl").write_bytes(pack(har(entry())))

    assert ids(tmp_path / "a") == ["one", "two"]
    assert ids(tmp_path / "b.jsonl") == [f"{tmp_path / 'b.jsonl'}#0"]


def test_nothing_recorded_is_no_error(tmp_path: Path) -> None:
    """An empty file has no exchange."""
    (tmp_path / "a").write_bytes(b"")

    assert ids(tmp_path / "a") == []


def test_a_cut_archive(tmp_path: Path) -> None:
    """What is before the cut counts; that there is one, is told."""
    kept = jsonl(*(exchange(id=str(number)) for number in range(2000)))
    (tmp_path / "a").write_bytes(gzip.compress(kept, 0)[:-1000])
    with Recordings(str(tmp_path / "a")) as recordings:
        found = list(recordings)

    assert len(found) > 100
    assert isinstance(found[-1], Damaged)


@pytest.mark.parametrize("data", [b"limits: []\n", b"\x00\x01", b'{"a": 1}', b"\x1f\x8bjunk", b"\x1f\x8b"])
def test_what_is_no_recording(tmp_path: Path, data: bytes) -> None:
    """The error names the file."""
    path = tmp_path / "a"
    path.write_bytes(data)

    with pytest.raises(UnreadableError, match=str(path)):
        Recordings(str(path))


def test_what_is_not_there(tmp_path: Path) -> None:
    """Neither is a folder a file."""
    with pytest.raises(UnreadableError, match="No such file"):
        Recordings(str(tmp_path / "a"))
    with pytest.raises(UnreadableError, match="directory"):
        Recordings(str(tmp_path))


def test_the_position_moves(tmp_path: Path) -> None:
    """For progress."""
    path = tmp_path / "a"
    path.write_bytes(jsonl(*(exchange() for _ in range(10))))
    with Recordings(str(path)) as recordings:
        before = recordings.position()
        count = sum(1 for _ in recordings)
        after = recordings.position()

    assert count == 10
    assert before <= after == path.stat().st_size
