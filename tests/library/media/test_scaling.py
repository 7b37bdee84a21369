"""What remains of pictures when they were scaled."""

import gc

from av.video.frame import VideoFrame

from reeltag.library.media.scaling import Orientation, Scaler, orientation_of


def test_pictures_are_freed_without_a_collection_of_garbage() -> None:
    """Or hundreds of them would be in memory at a time."""
    gc.collect()
    frame = VideoFrame(64, 48, "yuv420p")
    assert orientation_of(frame) == Orientation()
    assert Scaler((24, 32))(frame).shape == (24, 32, 3)
    del frame
    assert gc.collect() == 0
