"""Tags of an uploaded video, or of its frames, as JSON.

    python examples/tag_service.py RUN [PORT]
    curl -F file=@clip.mp4 'http://127.0.0.1:8000/tags?top_k=3'
    curl -F file=@frames.npy http://127.0.0.1:8000/tags           (T, D), as RUN reads them

For one machine and one user: `reeltag serve` has limits, a token and pages.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, UploadFile

import reeltag

app = FastAPI()
tagger = reeltag.load(sys.argv[1])


@app.post("/tags")
def tags(file: UploadFile, top_k: int = 5) -> list[reeltag.Tag]:
    """Return the likeliest classes of a video, best first."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "video").with_suffix(Path(file.filename or "").suffix)
        with path.open("wb") as copy:
            shutil.copyfileobj(file.file, copy)
        try:
            return tagger.predict(np.load(path) if path.suffix == ".npy" else path, top_k=top_k)
        except (reeltag.ReeltagError, ValueError, EOFError) as error:
            raise HTTPException(422, str(error).replace(str(path), "the file")) from error


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]) if len(sys.argv) > 2 else 8000)
