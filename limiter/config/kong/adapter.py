"""The Kong dialect: all its documents, of every carrier, are one declaration."""

from collections.abc import Mapping, Sequence

from limiter.config.adapter import Adapted, Setting
from limiter.config.documents import Document
from limiter.config.kong import bodies, declarative, kubernetes, terraform
from limiter.config.kong.builders import BUILDERS
from limiter.config.kong.building import build
from limiter.config.kong.declaration import Declaration
from limiter.config.kong.entries import Collected
from limiter.kong.entities import Gateway

SHAPE = f"`{declarative.FORMAT}:`, `kind: KongPlugin` …, a plugin's `name:` and `config:`, or Terraform resources"
"""How to tell the dialect."""


def recognises(document: Document) -> bool:
    """Whether a document is Kong's, in any of its carriers."""
    data = document.data
    carriers = (declarative.recognises, kubernetes.recognises, terraform.recognises, bodies.recognises)
    return any(carrier(data) for carrier in carriers)


def declare(documents: Sequence[Document], environment: Mapping[str, str]) -> tuple[Declaration, Collected]:
    """The declaration of all documents, and what was found on the way: problems and warnings."""
    collected = Collected()
    cluster, modules = [], []
    for document in documents:
        if terraform.recognises(document.data):
            modules.append(document)
        elif declarative.recognises(document.data):
            declarative.collect(document, collected)
        elif kubernetes.recognises(document.data):
            cluster.append(document)
        else:
            bodies.collect(document, collected)
    kubernetes.collect(cluster, collected)
    terraform.collect(modules, environment, collected)
    return build(collected, environment), collected


def adapt(documents: Sequence[Document], environment: Mapping[str, str]) -> Adapted:
    """The rules and settings of all documents together."""
    declaration, collected = declare(documents, environment)
    built = [builder(declaration) for builder in BUILDERS] if not collected.problems else []
    settings = [setting for part in built for setting in part.settings]
    if declaration.gateway != Gateway():
        settings.append(Setting(("gateway",), declaration.gateway, documents[0].place(()), ""))
    return Adapted(
        rules=tuple(rule for part in built for rule in part.rules),
        names=tuple(name for part in built for name in part.names),
        settings=tuple(settings),
        warnings=(*collected.warnings, *(warning for part in built for warning in part.warnings)),
        problems=(*collected.problems, *(problem for part in built for problem in part.problems)),
    )
