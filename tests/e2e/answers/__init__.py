"""Answers of the providers' APIs, written by hand: a pure function from a request to the pieces of a response."""

from collections.abc import Callable

from tests.e2e.answers import anthropic, gemini, openai, responses
from tests.e2e.answers.parts import Answer, Asked, document

ROUTES: tuple[tuple[str, Callable[[Asked], Answer]], ...] = (
    ("/chat/completions", openai.chat),
    ("/v1/completions", openai.completions),
    ("/completions", openai.completions),
    ("/embeddings", openai.embeddings),
    ("/v1/moderations", openai.moderations),
    ("/v1/models", openai.models),
    ("/responses", responses.create),
    ("/v1/messages", anthropic.messages),
    ("/v1/messages/count_tokens", anthropic.count_tokens),
    (":generateContent", gemini.generate),
    (":streamGenerateContent", gemini.stream),
    (":countTokens", gemini.count_tokens),
    (":embedContent", gemini.embed),
    (":batchEmbedContents", gemini.embed_many),
)
"""End of the path → answer. The host does not matter: in reverse mode it is the local one."""


def answer(asked: Asked) -> Answer:
    """What the provider answers. Paths that no provider has get a page that names the host and the path."""
    status = asked.behaviour.status
    if status != 200:
        return _error(asked, status)
    for end, make in ROUTES:
        if asked.path.endswith(end):
            return make(asked)
    if "/responses/" in asked.path and asked.method == "GET":
        return responses.create(asked)
    page = f"{asked.method} {asked.headers.get('host', '')}{asked.path}\n".encode()
    return Answer(headers=(("content-type", "text/plain; charset=utf-8"),), pieces=(page,))


def _error(asked: Asked, status: int) -> Answer:
    message = f"the upstream was told to answer {status}"
    if "/v1/messages" in asked.path:
        kind = {429: "rate_limit_error", 529: "overloaded_error", 401: "authentication_error"}.get(status, "api_error")
        error = {"type": kind, "message": message}
        body: object = {"type": "error", "error": error, "request_id": f"req_{asked.number}"}
    elif ":" in asked.path.rpartition("/")[2]:
        body = {"error": {"code": status, "message": message, "status": gemini.STATUSES.get(status, "INTERNAL")}}
    else:
        kind = {429: "rate_limit_exceeded", 401: "invalid_api_key"}.get(status, "server_error")
        body = {"error": {"message": message, "type": kind, "param": None, "code": kind}}
    return document(body, status=status)
