"""The small bundle that ships with the package, so that a first run needs no download.

`trainer starter` makes it; its card.md names the data, the results and the licences.
"""

from importlib.resources import files
from pathlib import Path


def starter_bundle_path() -> Path:
    """The directory of the starter bundle."""
    return Path(str(files(__name__) / "bundle"))
