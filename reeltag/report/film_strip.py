"""Pictures of a video over its time, from the thumbnails that `reeltag extract` keeps."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reeltag.data.class_list import folder_of

PREVIEWS = "previews"
_HEIGHT = 44  # pixels of a strip
_COUNT = 10  # pictures in it


def film_strip(data: Path, video: str) -> NDArray[np.uint8] | None:
    """Return (44, W, 3) pictures side by side, at equal times; None where there are none.

    Args:
        data: folder, whose previews/ID.json and ID.jpg have the thumbnails of a video.
        video: id.
    """
    about = folder_of(data) / PREVIEWS / f"{video}.json"
    if "/" in video or not about.is_file() or find_spec("PIL") is None:
        return None
    from PIL import Image

    try:
        thumbnails = json.loads(about.read_text(encoding="utf-8"))["thumbnails"]
        if thumbnails is None:
            return None
        width, height, columns = (thumbnails[key] for key in ("width", "height", "columns"))
        places = np.linspace(0, thumbnails["count"], _COUNT, endpoint=False).astype(int)
        with Image.open(about.with_name(thumbnails["file"])) as sheet:
            pictures = [
                sheet.crop((x, y, x + width, y + height)).convert("RGB")
                for x, y in ((at % columns * width, at // columns * height) for at in places)
            ]
    except (OSError, ValueError, KeyError, TypeError):  # of another version: not worth a report
        return None
    size = max(1, round(_HEIGHT * width / height)), _HEIGHT
    return np.concatenate([np.asarray(each.resize(size)) for each in pictures], axis=1)
