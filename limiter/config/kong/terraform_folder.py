"""The folder of a module, for the function `file`."""

from dataclasses import dataclass
from pathlib import Path

from limiter.config.kong.terraform_functions import UnknownError

LARGEST = 1024 * 1024
"""Bytes of a file."""
HERE = "."
"""What `path.module` and `path.root` are."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Files in it, and in folders below it, can be read; nothing else."""

    path: Path

    def text(self, name: object) -> str:
        """The text of a file.

        Args:
            name: its path, from the folder.

        Raises:
            UnknownError: it is elsewhere, too large, or no text.
        """
        if not isinstance(name, str):
            raise UnknownError("the function file takes the path of a file")
        try:
            root = self.path.resolve()
            found = (root / name).resolve()
            if not found.is_relative_to(root):
                raise UnknownError(f"the file {name} is not below the folder of the module, so that it is not read")
            if not found.is_file():
                raise UnknownError(f"the file {name} is not there")
            with found.open("rb") as file:
                content = file.read(LARGEST + 1)
            if len(content) > LARGEST:
                raise UnknownError(f"the file {name} has more than {LARGEST:,} bytes")
            return content.decode()
        except (OSError, ValueError) as error:
            raise UnknownError(f"the file {name} cannot be read as UTF-8") from error
