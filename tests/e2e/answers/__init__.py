"""Answers of the providers' APIs, written by hand: a pure function from a request to the pieces of a response."""

from collections.abc import Callable

from tests.e2e.answers import (
    anthropic,
    bedrock,
    cohere,
    gemini,
    groq,
    huggingface,
    mistral,
    ollama,
    openai,
    responses,
)
from tests.e2e.answers.parts import Answer, Asked, document

Routes = tuple[tuple[str, Callable[[Asked], Answer]], ...]
ROUTES: Routes = (
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
    ("/v2/chat", cohere.chat),
    ("/v2/embed", cohere.embed),
    ("/v2/rerank", cohere.rerank),
    ("/converse", bedrock.converse),
    ("/converse-stream", bedrock.converse_stream),
    ("/invoke", bedrock.invoke),
    ("/invoke-with-response-stream", bedrock.invoke_stream),
    ("/api/chat", ollama.chat),
    ("/api/generate", ollama.generate),
    ("/api/embed", ollama.embed),
    ("/generate", huggingface.generate),
    ("/generate_stream", huggingface.generate),
)
"""End of the path → answer. The host does not matter: in reverse mode it is the local one."""

BY_HOST: dict[str, Routes] = {
    "api.mistral.ai": (
        ("/chat/completions", mistral.chat),
        ("/fim/completions", mistral.chat),
        ("/embeddings", mistral.embeddings),
    ),
    "api.groq.com": (("/chat/completions", groq.chat),),
    "router.huggingface.co": (("/chat/completions", huggingface.chat),),
    "tgi.us-east-1.aws.endpoints.huggingface.cloud": (("/", huggingface.generate),),
}
"""What some hosts answer otherwise: paths of OpenAI's, in a form of their own."""


def answer(asked: Asked) -> Answer:
    """What the provider answers. Paths that no provider has get a page that names the host and the path."""
    status = asked.behaviour.status
    if status != 200:
        return _error(asked, status)
    for end, make in (*BY_HOST.get(asked.headers.get("host", ""), ()), *ROUTES):
        if asked.path.endswith(end):
            return make(asked)
    if "/responses/" in asked.path and asked.method == "GET":
        return responses.retrieve(asked)
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
