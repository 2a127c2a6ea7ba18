"""Which TLS connections are opened: those to known LLM hosts. All others pass, with their own certificate."""

from mitmproxy import tls
from mitmproxy.proxy.mode_specs import ReverseMode

from limiter.usage.providers import Directory


def pass_through_unless_known(data: tls.ClientHelloData, directory: Directory) -> None:
    """Leaves the connection alone unless its server's name or address is known."""
    client = data.context.client
    if isinstance(client.proxy_mode, ReverseMode):
        return  # Whoever points a base URL at us wants us to answer.
    address = data.context.server.address
    host, port = address[:2] if address else ("", 443)
    names = {host.lower(), (data.client_hello.sni or "").lower()}
    if not any(directory.is_known_host(name, port) for name in names if name):
        data.ignore_connection = True
