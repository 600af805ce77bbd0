"""Where things are, for all the scripts."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def cache_dir(*parts):
    """A folder for what may be kept between runs and checkouts.

    TIELINE_CACHE, else tieline/ in the user's cache folder; made if missing.
    """
    base = os.environ.get("TIELINE_CACHE")
    if not base:
        home = (os.environ.get("XDG_CACHE_HOME") or
                os.path.expanduser("~/.cache"))
        base = os.path.join(home, "tieline")
    path = pathlib.Path(base, *parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def build_dir(preset):
    return ROOT / "build" / preset
