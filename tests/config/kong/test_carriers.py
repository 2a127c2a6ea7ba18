"""Documents in several files and languages, as one declaration."""

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from limiter.config import ConfigError, load, parse
from limiter.config.kong import ids
from limiter.config.kong.adapter import declare
from limiter.config.kong.templates import substitute
from limiter.config.kong.terraform_files import read
from limiter.config.loading import documents

PLUGIN = """
apiVersion: configuration.konghq.com/v1
kind: KongPlugin
metadata: {name: limit}
plugin: response-ratelimiting
config: {limits: {video: {minute: 1}}}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: llm, annotations: {konghq.com/plugins: limit}}
spec: {ports: [{port: 80}]}
"""
NATIVE = """
limits:
  - {name: day, amount: $5 per day}
"""


def folder(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / name.replace("__", ".")).write_text(text)
    return tmp_path


def test_objects_of_a_cluster_in_several_files(tmp_path: Path) -> None:
    """One names another, wherever it stands."""
    configuration = load(folder(tmp_path, a__yaml=SERVICE, b__yaml=NATIVE, c__yaml=PLUGIN))

    assert [service.name for service in configuration.settings.gateway.services] == ["default.llm.80"]
    limits = [limit.name for rule in configuration.policy.rules for limit in rule.limits]
    assert "day" in limits
    assert len(limits) > 1


def test_terraform_in_several_files(tmp_path: Path) -> None:
    """Variables of one file are used in another; values come from the environment."""
    main = 'resource "konnect_gateway_consumer" "c" {\n  username = "${var.name}-${local.suffix}"\n}\n'
    variables = 'variable "name" { type = string }\nlocals { suffix = "x" }\n'
    source = folder(tmp_path, main__tf=main, variables__tf=variables)

    configuration = load(source, {"TF_VAR_name": "alice"})
    assert [consumer.username for consumer in configuration.settings.gateway.consumers] == ["alice-x"]
    with pytest.raises(ConfigError, match=r"main\.tf:2: .*TF_VAR_name is not set"):
        load(source, {})


FROM_FILE = """
resource "konnect_gateway_plugin_ai_rate_limiting_advanced" "a" {
  config = {
    llm_providers = [{ name = "requestPrompt", limit = [1], window_size = [60] }]
    request_prompt_count_function = file("PLACE")
  }
}
"""


def test_files_of_a_module(tmp_path: Path) -> None:
    """Functions lie in files below the module's folder, of which it may be another than the current one."""
    (tmp_path / "lua").mkdir()
    (tmp_path / "lua" / "count.lua").write_text("return 5")
    file = str(tmp_path / "main.tf")

    for place in ("${path.module}/lua/count.lua", "lua/count.lua", f"{tmp_path}/lua/../lua/count.lua"):
        declaration, collected = declare(documents(FROM_FILE.replace("PLACE", place), file, {}), {})
        assert not collected.problems
        assert [plugin.config["request_prompt_count_function"] for plugin in declaration.plugins] == ["return 5"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("${path.module}/../secret", "not below the folder"),
        ("/etc/hostname", "not below the folder"),
        ("link", "not below the folder"),
        ("nowhere.lua", "not there"),
        ("${path.module}", "not there"),
        ("latin", "cannot be read as UTF-8"),
        ("large", "more than 1,048,576 bytes"),
        ("${path.cwd}/x", "path.cwd is only known"),
    ],
)
def test_other_files_are_not_read(tmp_path: Path, place: str, message: str) -> None:
    """Whoever writes a configuration must not read the whole machine with it."""
    (tmp_path / "secret").write_text("hunter2")
    module = tmp_path / "module"
    module.mkdir()
    (module / "link").symlink_to(tmp_path / "secret")
    (module / "latin").write_bytes(b"\xff")
    (module / "large").write_bytes(b"x" * (1024 * 1024 + 1))

    _, collected = declare(documents(FROM_FILE.replace("PLACE", place), str(module / "main.tf"), {}), {})
    (problem,) = collected.problems
    assert message in problem.message
    assert "hunter2" not in str(problem)


@given(st.text(alphabet='hunter2. ={}[]()"$,:?', min_size=1))
def test_values_of_variables_are_never_told(value: str) -> None:
    """Whatever a variable of any type holds, no problem has more of it than its own words do."""
    text = 'variable "x" { type = any }\nresource "konnect_gateway_consumer" "c" { username = "a-${var.x}" }\n'
    _, collected = declare(documents(text, "x.tf", {}), {"TF_VAR_x": f"sesame{value}"})

    assert not any("sesame" in str(problem) for problem in collected.problems)


def test_problems_name_their_file(tmp_path: Path) -> None:
    """All problems of all files are told at once."""
    source = folder(tmp_path, a__yaml=PLUGIN.replace("minute: 1", "minute: 0"), b__tf="x = {", c__yaml=SERVICE)

    with pytest.raises(ConfigError) as caught:
        load(source)
    first, second = sorted(map(str, caught.value.problems))
    assert "a.yaml:6: config.limits.video.minute: schema violation (config.limits.minute: value must be" in first
    assert "b.tf:2: invalid Terraform" in second


def test_variables_come_from_the_environment() -> None:
    """Each at its line where it is not set."""
    text = '_format_version: "3.0"\nservices: [{name: ${{ env "DECK_X" }}, url: "http://a.example"}]\n'

    found = parse(text, "k.yaml", {"DECK_X": "s"})
    assert [service.name for service in found.settings.gateway.services] == ["s"]
    with pytest.raises(
        ConfigError, match=r"k\.yaml:2: environment variable 'DECK_X' present in state file but not set"
    ):
        parse(text, "k.yaml", {})


@given(st.text())
def test_other_texts_are_left_alone(text: str) -> None:
    """Only declarative files have variables."""
    assert substitute(text, "x", {}) == text


@given(st.text(alphabet='${} env|"DECK_X`()toInt\n#', max_size=40))
def test_any_expression_is_read_or_told(inner: str) -> None:
    """Nothing but the one error of configurations."""
    try:
        substitute(f'_format_version: "3.0"\nx: ${{{{ {inner} }}}}\n', "x", {"DECK_X": "1"})
    except ConfigError:
        return


MODULE = """
variable "x" {{}}
locals {{
  y = {}
}}
resource "konnect_gateway_consumer" "c" {{
  username = local.y
}}
"""
TERRAFORM = st.text(alphabet='resource "k" {}=[]\n<EOF-${var.x}0.5,()?:%#', max_size=60)


@given(TERRAFORM)
def test_any_terraform_is_read_or_told(text: str) -> None:
    """Nothing but the one error of configurations."""
    try:
        found = read(MODULE.format(text), "x.tf")
        declare(found, {})
    except ConfigError:
        return


def test_deep_nesting_is_refused() -> None:
    """It would exhaust the stack."""
    with pytest.raises(ConfigError, match="levels of nesting"):
        read("x = " + "[" * 5000, "x.tf")


def _plugin(**fields: object) -> dict[str, object]:
    return {"apiVersion": "configuration.konghq.com/v1", "kind": "KongPlugin", "metadata": {"name": "p"}, **fields}


KINDS: list[Callable[[str], object]] = [
    lambda text: {"_format_version": "3.0", "services": text, "plugins": [{"name": text, "config": text}]},
    lambda text: {"_format_version": text, "consumers": [{"username": text, "groups": text, "plugins": {}}]},
    lambda text: {"apiVersion": "configuration.konghq.com/v1", "kind": "KongPlugin", "metadata": text, "plugin": text},
    lambda text: {"apiVersion": "v1", "kind": "Service", "metadata": {"annotations": text}, "spec": text},
    lambda text: {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"rules": [text, {"http": text}]}},
    lambda text: {"apiVersion": "x/v1", "kind": "HTTPRoute", "spec": {"rules": [{"matches": text}]}},
    lambda text: {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": text}, "data": text},
            _plugin(configFrom={"secretKeyRef": {"name": "s", "key": "k"}}),
            _plugin(configFrom=text, disabled=text),
            _plugin(config=text, configPatches=[text, {"path": "/a/0", "valueFrom": text}]),
            {"apiVersion": "n/v1", "kind": "IngressClass", "metadata": text, "spec": text},
            {"apiVersion": "n/v1", "kind": "Ingress", "metadata": {"annotations": {"konghq.com/headers.": text}}},
            text,
        ],
    },
    lambda text: {
        "_format_version": "3.0",
        "ai_rate_limiting_policies": [text, {"id": "i", "limits": text}],
        "plugins": [{"name": "ai-rate-limiting-advanced", "config": {"policies": [text, {"id": "i", "match": text}]}}],
    },
    lambda text: {"name": text, "config": text, "service": text},
    lambda text: {"name": "response-ratelimiting", "consumer": {"id": text}, "config": {"limits": text}},
    lambda text: {"type": text, "config": text, "enabled": text},
]
SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(("name", "id", "path", "x")), inner),
    max_leaves=4,
)


@given(st.sampled_from(KINDS), SHAPES)
def test_documents_of_any_shape_are_read_or_told(kind: Callable[[object], object], shape: object) -> None:
    """What stands in a place where something else is expected raises nothing."""
    found = documents(yaml.safe_dump(kind(shape)), "case.yaml", {})

    declare(found, {})


def test_ids_are_those_of_kong() -> None:
    """UUIDs of version 5 in the namespaces of Kong's declarative configuration."""
    assert ids.named("services", "s") == "b268827a-8f7f-551f-8769-e6bceb2f3ec6"
    assert ids.plugin("key-auth", "r", "", "", "") != ids.plugin("key-auth", "", "r", "", "")


def test_ids_stay() -> None:
    """At each reading the same, also of what has no name; given ones are kept."""
    text = '_format_version: "3.0"\nservices: [{url: "http://a.example", routes: [{paths: [/a]}, {paths: [/a]}]}]\n'
    twice = documents(f"{text}---\n{text}", "/somewhere/k.yaml", {})

    first, _ = declare(twice, {})
    second, _ = declare(documents(f"{text}---\n{text}", "/elsewhere/k.yaml", {}), {})
    routes = [route.id for route in first.routes]
    assert routes == [route.id for route in second.routes]
    assert len(set(routes)) == 4


def test_a_thousand_consumers() -> None:
    """Each with a key and a plugin of its own: large declarations are read in seconds."""
    plugin = {"name": "response-ratelimiting", "config": {"limits": {"video": {"minute": 1}}}}
    consumers = [
        {"username": f"c{number}", "keyauth_credentials": [{"key": f"k{number}"}], "plugins": [plugin]}
        for number in range(1000)
    ]
    text = json.dumps({"_format_version": "3.0", "consumers": consumers})
    before = perf_counter()
    declaration, collected = declare(documents(text, "k.json", {}), {})

    assert perf_counter() - before < 10
    assert not collected.problems
    assert len({consumer.keys[0].digest for consumer in declaration.consumers}) == 1000
    assert len({plugin.scope.consumer for plugin in declaration.plugins}) == 1000


def test_secrets_are_not_shown() -> None:
    """No key or password is in what a declaration shows of itself, nor in what the gateway holds."""
    text = """
_format_version: "3.0"
consumers:
  - username: a
    keyauth_credentials: [{key: top-secret-key}]
    basicauth_credentials: [{username: a, password: top-secret-password}]
plugins:
  - name: response-ratelimiting
    config: {limits: {v: {day: 1}}, policy: redis, redis: {host: h, password: top-secret-redis}}
"""
    declaration, _ = declare(documents(text, "k.yaml", {}), {})

    assert "top-secret" not in repr(declaration)
    kept = [key.digest for consumer in declaration.gateway.consumers for key in (*consumer.keys, *consumer.passwords)]
    assert all(len(digest) == 64 for digest in kept)
