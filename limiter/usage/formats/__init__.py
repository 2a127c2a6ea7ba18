"""The wire formats, one module a family: tables of where each keeps its usage."""
