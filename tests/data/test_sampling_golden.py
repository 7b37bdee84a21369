"""Choice of frames against the starter code's, both given the same uniform numbers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from reeltag.data.sampling import FrameChoice
from tests.conftest import golden_file

pytestmark = pytest.mark.golden


class GivenUniforms(np.random.Generator):
    """Draws integers below a bound from given u in [0, 1), as the starter code does: int(u * n)."""

    def __init__(self, uniforms: NDArray[np.float32]) -> None:
        super().__init__(np.random.PCG64(0))
        self.uniforms = uniforms

    def integers(self, low: int, high: NDArray[np.int64], size: object = None) -> NDArray[np.int64]:  # type: ignore[override]
        shape = np.broadcast_shapes(high.shape, size or ())  # type: ignore[arg-type]
        assert low == 0
        assert shape == self.uniforms.shape
        return (self.uniforms * high.astype(np.float32)).astype(np.int64)


def arrays_of(name: str) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int32]]:
    """Return lengths (B,), uniforms and the frames (B, 15) that they chose."""
    with np.load(golden_file("layers/google_sampling.npz")) as file:
        length = file["in.num_frames"].ravel().astype(np.int64)
        return length, file[f"in.u.{name}"], file[f"out.{name}"]


def test_random_frames_are_the_starter_codes() -> None:
    length, uniforms, theirs = arrays_of("SampleRandomFrames")
    choice = FrameChoice(how="random", num_frames=theirs.shape[1])
    chosen = choice.choose(length, GivenUniforms(uniforms))
    assert chosen.listed is not None
    np.testing.assert_array_equal(chosen.listed + chosen.first[:, None], theirs)
    assert (chosen.count == theirs.shape[1]).all()


def test_run_is_the_starter_codes_which_repeats_the_last_frame_of_a_short_video() -> None:
    length, uniforms, theirs = arrays_of("SampleRandomSequence")
    choice = FrameChoice(how="contiguous", num_frames=theirs.shape[1])
    chosen = choice.choose(length, GivenUniforms(uniforms.ravel()))
    for row, (first, count) in enumerate(zip(chosen.first, chosen.count, strict=True)):
        ours = np.arange(first, first + count)
        np.testing.assert_array_equal(ours, theirs[row, :count])
        assert (theirs[row, count:] == length[row] - 1).all()
    assert chosen.listed is None
    assert chosen.step == 1
