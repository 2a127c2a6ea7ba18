"""The Terraform carrier: resources of the providers konnect and kong-gateway.

Variables have their default or the value of TF_VAR_name; files of values (*.tfvars) are not read. Resources of other
providers are passed over. https://registry.terraform.io/providers/kong/konnect/
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from limiter.config.documents import Document
from limiter.config.kong.declaration import Source
from limiter.config.kong.entries import Collected, Entry
from limiter.config.kong.shapes import mapping
from limiter.config.kong.terraform_files import Expression, Module, plain
from limiter.config.kong.terraform_folder import Folder
from limiter.config.kong.terraform_functions import UnknownError, pairs, text
from limiter.config.kong.terraform_values import Reference, Scope, evaluate, given

PREFIXES = ("konnect_gateway_", "kong-gateway_")
PLUGIN = "plugin_"
KINDS: Mapping[str, str] = {
    "service": "services",
    "route": "routes",
    "consumer": "consumers",
    "consumer_group": "consumer_groups",
    "consumer_group_member": "memberships",
    "key_auth": "keyauth_credentials",
    "basic_auth": "basicauth_credentials",
    "partial": "partials",
}
"""By the type of a resource without its prefix; in the order in which they are made."""
QUIET = ("control_plane", "workspace", "data_plane_client_certificate", "control_plane_membership", "vault")
"""Of no effect on what is limited."""
OURS = ("control_plane_id", "workspace", "lifecycle", "depends_on", "provider", "timeouts", "count", "for_each")
"""Attributes for Terraform itself, or for Konnect."""
MOST = 10_000
"""Copies of one resource."""
CIRCULAR = "refers to itself"
FOREIGN = ("service", "route", "consumer", "consumer_group")


def recognises(data: object) -> bool:
    """Whether a document is a file of Terraform."""
    return isinstance(data, Module)


def collect(documents: Sequence[Document], environment: Mapping[str, str], collected: Collected) -> None:
    """Adds the entities of all files together, as Terraform takes the files of a folder for one module."""
    if documents:
        _Module(documents, environment, collected).build()


class _Module:
    def __init__(self, documents: Sequence[Document], environment: Mapping[str, str], collected: Collected) -> None:
        self._documents = documents
        self._environment = environment
        self._collected = collected
        self._made: dict[Reference, Entry] = {}
        self._failed: set[Reference] = set()
        """Resources that are wrong; what is said about those is enough."""
        self._scope: dict[str, Any] = {}

    def build(self) -> None:
        folder = Folder(Path(self._documents[0].file).parent)
        self._scope = {"var": _Lazy(self._variable), "local": _Lazy(self._local), "path": folder}
        resources = list(self._resources())
        order = [*KINDS, ""]
        for short, reference, source, attributes in sorted(resources, key=lambda found: order.index(_rank(found[0]))):
            self._resource(short, reference, source, attributes)

    def _blocks(self, *path: str) -> Iterator[tuple[Source, Mapping[str, Any]]]:
        """What stands under a path, in all files."""
        for document in self._documents:
            at: object = document.data
            for step in path:
                at = mapping(at).get(step)
            if at is not None:
                yield Source(document, path), mapping(at)

    def _variable(self, name: str) -> Any:
        for _, block in self._blocks("variable", name):
            variable = f"TF_VAR_{name}"
            if variable in self._environment:
                return _of_type(self._environment[variable], block.get("type"), variable)
            if "default" in block:
                return evaluate(block["default"], {})
            raise UnknownError(f"the variable {name} has no default, and {variable} is not set")
        raise UnknownError(f"the variable {name} is not declared")

    def _local(self, name: str) -> Any:
        for _, block in self._blocks("locals"):
            if name in block:
                return evaluate(block[name], self._scope)
        raise UnknownError(f"local.{name} is not declared")

    def _resources(self) -> Iterator[tuple[str, Reference, Source, Mapping[str, Any]]]:
        for source, types in self._blocks("resource"):
            for kind, named in types.items():
                short = next((kind.removeprefix(prefix) for prefix in PREFIXES if kind.startswith(prefix)), "")
                if short in QUIET or not short:
                    continue
                for name, attributes in mapping(named).items():
                    at = source.inside(kind, name)
                    if not isinstance(attributes, dict):
                        self._collected.problems.append(
                            at.notice("found a resource without a name, expected type and name")
                        )
                    elif short in KINDS or short.startswith(PLUGIN):
                        yield short, Reference(kind, name), at, attributes
                    else:
                        self._collected.warnings.append(at.notice("has no effect here"))

    def _resource(self, short: str, reference: Reference, source: Source, attributes: Mapping[str, Any]) -> None:
        try:
            copies = self._copies(attributes)
        except (UnknownError, RecursionError) as error:
            message = str(error) if isinstance(error, UnknownError) else CIRCULAR
            self._collected.problems.append(source.notice(message, "for_each" if "for_each" in attributes else "count"))
            return
        for key, scope in copies:
            self._copy(short, Reference(reference.type, reference.name, key), source, attributes, scope)

    def _copies(self, attributes: Mapping[str, Any]) -> list[tuple[object, Scope]]:
        """The resource, or those that it stands for, with what their expressions may use."""
        if "for_each" in attributes:
            over = evaluate(attributes["for_each"], self._scope)
            items = [(text(item), item) for item in over] if isinstance(over, list) else pairs(over)
            return [(key, {**self._scope, "each": {"key": key, "value": value}}) for key, value in items]
        if "count" in attributes:
            count = evaluate(attributes["count"], self._scope)
            if isinstance(count, bool) or not isinstance(count, int) or count > MOST:
                raise UnknownError(f"found something else, expected a whole number of at most {MOST:,}")
            return [(index, {**self._scope, "count": {"index": index}}) for index in range(count)]
        return [(None, self._scope)]

    def _copy(
        self, short: str, reference: Reference, source: Source, attributes: Mapping[str, Any], scope: Scope
    ) -> None:
        data: dict[str, Any] = {}
        right = True
        for name, value in attributes.items():
            if name not in OURS:
                evaluated, known = self._evaluated(value, scope, source, (name,))
                data[name] = evaluated
                right = right and known
        if not right:
            self._failed.add(reference)
            return
        parents: dict[str, Entry] = {}
        for key in FOREIGN:
            named = data.pop(f"{key}_id", None) if f"{key}_id" in data else data.get(key)
            target = named.get("id") if isinstance(named, dict) else named
            if isinstance(target, Reference):
                data.pop(key, None)
                if target in self._failed:
                    self._failed.add(reference)
                    return
                if target not in self._made:
                    message = f"found {target.type}.{target.name}, expected a resource of this kind among the documents"
                    self._collected.problems.append(source.notice(message, key))
                    return
                parents[key] = self._made[target]
            elif target is not None:
                data[key] = {"id": target}
        if short.startswith(PLUGIN):
            data["name"] = short.removeprefix(PLUGIN).replace("_", "-")
        data = {name: value for name, value in data.items() if value is not None}
        entry = Entry(KINDS.get(short, "plugins"), data, source, parents, lenient=True)
        self._collected.entries.append(entry)
        self._made[reference] = entry

    def _evaluated(self, value: Any, scope: Scope, source: Source, path: tuple[str | int, ...]) -> tuple[Any, bool]:
        """The value, and whether all of it is known; what is not is a problem at its own line."""
        if isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            found = {key: self._evaluated(item, scope, source, (*path, key)) for key, item in items}
            known = all(good for _, good in found.values())
            values = {key: inner for key, (inner, _) in found.items()}
            return (values if isinstance(value, dict) else list(values.values())), known
        try:
            return evaluate(value, scope), True
        except UnknownError as error:
            self._collected.problems.append(source.notice(str(error), *path))
        except RecursionError:
            self._collected.problems.append(source.notice(CIRCULAR, *path))
        return None, False


class _Lazy(Mapping[str, Any]):
    """Values that are looked up by name when they are needed."""

    def __init__(self, find: Any) -> None:
        self._find = find

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __getitem__(self, name: str) -> Any:
        return self._find(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _of_type(value: str, kind: object, variable: str) -> Any:
    """What an environment variable says: of the type string what it is, of others an expression."""
    if kind is None or (isinstance(kind, Expression) and plain(kind.node) == "string"):
        return value
    try:
        return given(value)
    except UnknownError as error:
        raise UnknownError(f"{variable}: {error}") from None


def _rank(short: str) -> str:
    return short if short in KINDS else ""
