"""What a refused client is answered: status, exact body, content type; and gRPC."""

import json

import pytest

from tests.kong.airla.gateway import Gateway, Reply, tokens

ONE = "llm_providers: [{name: openai, limit: 1, window_size: 60}]\n"


async def refusal(config: str, **facts: object) -> Reply:
    gateway = Gateway(config)
    await gateway.ask(tokens(1), **facts)
    return await gateway.ask(**facts)


async def test_the_body_is_that_of_published_transcripts() -> None:
    """66 bytes for `openai`, on one line."""
    reply = await refusal(ONE)

    assert reply.status == 429
    assert reply.body == b'{"message":"AI token rate limit exceeded for provider(s): openai"}'
    assert len(reply.body) == 66
    assert reply.fields["content-type"] == "application/json; charset=utf-8"
    assert "Retry-After" not in reply.fields


async def test_all_providers_that_refuse_are_named() -> None:
    """In the order of the configuration, those that have room left out."""
    config = """
llm_providers:
- {name: mistral, limit: 100, window_size: 60}
- {name: azure, limit: 10, window_size: 60}
- {name: cohere, limit: [10, 100], window_size: [60, 3600]}
"""
    gateway = Gateway(config)
    await gateway.ask(tokens(100), provider="azure")
    reply = await gateway.ask(tokens(100), provider="cohere")
    assert json.loads(reply.body)["message"].endswith(": azure")
    gateway = Gateway(config)
    # Both are admitted before either is settled, as requests side by side are.
    first = await gateway.engine.admit(_asking("azure"), gateway._measure)
    second = await gateway.engine.admit(_asking("cohere"), gateway._measure)
    for outcome in (first, second):
        await gateway.engine.settle(outcome, tokens(100))  # type: ignore[arg-type]
    reply = await gateway.ask(provider="openai")
    assert json.loads(reply.body)["message"] == "AI token rate limit exceeded for provider(s): azure, cohere"


def _asking(provider: str):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    from tests.kong.airla.gateway import ANYONE

    return replace(ANYONE, provider=provider)


@pytest.mark.parametrize(
    ("more", "status", "body"),
    [
        ("error_hide_providers: true", 429, '{"message":"AI token rate limit exceeded for provider(s): "}'),
        ("error_code: 503\nerror_message: 'Slow down: '", 503, '{"message":"Slow down: openai"}'),
        (
            "error_message: Rate limit exceeded. Try again later.\nerror_hide_providers: true",
            429,
            '{"message":"Rate limit exceeded. Try again later."}',
        ),
        ('error_message: "«a/b» \\"c\\" "', 429, '{"message":"«a\\/b» \\"c\\" openai"}'),
    ],
)
async def test_messages_and_status_are_as_configured(more: str, status: int, body: str) -> None:
    reply = await refusal(ONE + more)

    assert (reply.status, reply.body.decode()) == (status, body)


async def test_a_status_that_ends_nothing_becomes_429() -> None:
    assert (await refusal(ONE + "error_code: 100")).status == 429


async def test_with_policies_the_provider_that_was_asked_is_named() -> None:
    """By Kong's name of it."""
    reply = await refusal("policies: [{limits: [{limit: 1, window_size: 60}]}]", provider="vertex")

    assert reply.body == b'{"message":"AI token rate limit exceeded for provider(s): gemini"}'


async def test_grpc_clients_get_a_status_of_theirs() -> None:
    """The fields come as metadata, the message without bytes that gRPC does not allow, and no body."""
    gateway = Gateway(ONE + 'error_message: "100 % spent, für "')
    headers = {"content-type": "application/grpc+proto"}
    await gateway.ask(tokens(1), headers=headers)
    reply = await gateway.ask(headers=headers)

    assert (reply.status, reply.body) == (200, b"")
    assert reply.fields["content-type"] == "application/grpc"
    assert reply.fields["grpc-status"] == "8"
    assert reply.fields["grpc-message"] == "100 %25 spent, f%C3%BCr openai"
    assert reply.of("Remaining-minute-openai") == "0"
    assert int(reply.of("Retry-After")) > 0
