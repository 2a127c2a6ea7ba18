"""What is known of what a request gives its model to read."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Prompt:
    texts: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    """Tools and the like, as JSON."""
    turns: int = 0
    images: int = 0
    coded: int = 0
    """Of all media, those that are there in base64, and long."""
    other_media: int = 0
    """Bytes of documents, sound and film, in base64."""
    unread: int = 0
    """Bytes of text that was too much to be looked at."""

    audio: int = 0
    """Of `other_media`, bytes of sound."""
    sealed: int = 0
    """Bytes of what only the provider can read."""
    unknown: int = 0
    """Bytes of members that may reach the model."""
    numbers: int = 0
    """Whole numbers, which may be tokens."""
    hidden: bool = False
    """The model is given more than what is in the body."""
    repeated: bool = False
    """A model is asked more than once."""
    built_in: int = 0
    """Tools that the client runs and the provider describes."""
    cites: bool = False
    """The provider adds instructions how to cite."""
    writes: Literal["", "5m", "1h"] = ""
    searches: int = 0
    draws: int = 0
    """Pictures that a tool may make."""
    prompts: int = 1
    """Each is answered."""
    rankings: int = 0
    """Documents to be ranked."""
    predicted: int = 0
    """Bytes of an answer that the client predicts; what is wrong of it is billed as output."""
    modalities: frozenset[str] | None = None
    """Of the answer, lower case; None: not said."""
    reads_more: bool = False
    """As `Ask.reads_more`, in the body."""
    fast: bool = False
    """Anthropic's `speed: fast`."""
    premium: int = 0
    """Hundredths of the list price that its place adds."""
