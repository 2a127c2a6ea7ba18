"""What a Higress gateway does on each request, for rules that come from its configuration. Pure."""
