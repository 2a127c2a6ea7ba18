"""Files and folders: what is read, and what is said when it cannot be."""

from pathlib import Path

import pytest

from limiter.config import ConfigError, Place, load, loading, parse

LIMIT = "limits:\n  - {{name: {0}, amount: $1 per day, match: {{model: {0}}}}}\n"


def problems(source: Path) -> list[str]:
    """What is wrong, with the folder's name left out."""
    with pytest.raises(ConfigError) as caught:
        load(source)
    return [str(problem).replace(f"{source.parent}/", "") for problem in caught.value.problems]


def test_a_file(tmp_path: Path) -> None:
    """The watcher of changes looks at what was read."""
    path = tmp_path / "a.yaml"
    path.write_text(LIMIT.format("a"))
    configuration = load(path)

    assert [rule.limits[0].name for rule in configuration.policy.rules] == ["a"]
    assert configuration.files == (path,)
    assert configuration.places["limits", "a"] == Place(str(path), 2)


def test_a_folder(tmp_path: Path) -> None:
    """All YAML and JSON right in it, by name; editors' and other files are left alone."""
    for name in ("b.yml", "a.yaml", "c.json"):
        (tmp_path / name).write_text(LIMIT.format(name[0]))
    for name in (".hidden.yaml", "notes.txt", "d.yaml~"):
        (tmp_path / name).write_text("limits: [")
    (tmp_path / "inner.d").mkdir()
    (tmp_path / "inner.d" / "e.yaml").write_text("limits: [")
    configuration = load(tmp_path)

    assert [rule.limits[0].name for rule in configuration.policy.rules] == ["a", "b", "c"]
    assert configuration.files == (tmp_path, *(tmp_path / name for name in ("a.yaml", "b.yml", "c.json")))


def test_problems_of_all_files_are_told(tmp_path: Path) -> None:
    """One bad file does not hide another."""
    (tmp_path / "a.yaml").write_text("limits: [")
    (tmp_path / "b.yaml").write_text("limits:\n  - {name: b, amount: five}\n")
    (tmp_path / "c.yaml").write_text("# nothing\n")
    (tmp_path / "d.yaml").write_bytes(b"a: 1\nb: \xff\n")
    (tmp_path / "e.yaml").mkdir()
    found = [problem.removeprefix(f"{tmp_path.name}/") for problem in problems(tmp_path)]

    assert [problem.split(" ", 1)[0] for problem in found] == [
        "a.yaml:2:",
        "b.yaml:2:",
        "c.yaml:",
        "d.yaml:2:",
        "e.yaml:",
    ]
    assert found[3] == "d.yaml:2: found the byte 0xff, expected UTF-8"
    assert found[4] == "e.yaml: cannot be read: Is a directory"


def test_names_are_unique_over_files(tmp_path: Path) -> None:
    """Both places are named."""
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(LIMIT.format("same"))
    (problem,) = problems(tmp_path)

    assert problem.startswith(f"{tmp_path.name}/b.yaml:2: limits[0].name: found 'same' again")
    assert problem.endswith("a.yaml:2")


def test_an_empty_folder(tmp_path: Path) -> None:
    """A folder without a configuration would limit nothing."""
    assert problems(tmp_path) == [
        f"{tmp_path.name}: found no file, expected at least one that ends in .yaml, .yml, .json, .tf"
    ]


def test_a_missing_file(tmp_path: Path) -> None:
    """It is named."""
    assert problems(tmp_path / "none.yaml") == ["none.yaml: cannot be read: No such file or directory"]


def test_a_huge_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file fills the memory."""
    monkeypatch.setattr(loading, "LARGEST", 10)
    (tmp_path / "a.yaml").write_text(LIMIT.format("a"))

    assert problems(tmp_path / "a.yaml") == ["a.yaml: found more than 10 bytes"]


def test_the_error_prints_one_problem_a_line() -> None:
    """Sorted by line."""
    with pytest.raises(ConfigError) as caught:
        parse("limits:\n  - name: a\n    mode: x\n    amount: y\n", "f")

    lines = str(caught.value).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["f:3", "limits[0].mode"], ["f:4", "limits[0].amount"]]


def test_secrets_stay_unsaid() -> None:
    """Neither a store's password nor an API key is repeated in errors and printed forms."""
    with pytest.raises(ConfigError) as caught:
        parse("settings: {store: 'redis://u:hidden@a'}\n---\nsettings: {store: 'redis://u:secret@b'}", "f")

    assert "hidden" not in str(caught.value)
    assert "secret" not in str(caught.value)
    configuration = parse("limits:\n  - {name: a, amount: $1 per day, match: {credential: sk-secret}}", "f")
    assert "sk-secret" not in repr(configuration)


def test_many_limits_are_read_in_time() -> None:
    """Five thousand limits take no longer than a coffee is hot."""
    text = "limits:\n" + "".join(
        f"  - {{name: n{i}, amount: {i} requests per day, match: {{consumer: c{i}}}}}\n" for i in range(5000)
    )

    assert len(parse(text, "f").policy.rules) == 5000
