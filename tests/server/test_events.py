"""Streams of events: as many as there are places for, counted when they are asked for."""

import asyncio

import pytest

from reeltag.server.errors import RequestError
from reeltag.server.events import JobEvents


def test_streams_are_limited_also_before_they_begin() -> None:
    async def use() -> None:
        events = JobEvents(most=2)
        first, second = events.listen(()), events.listen(())
        with pytest.raises(RequestError, match="too many pages") as told:
            events.listen(())
        assert told.value.status == 503
        assert await anext(first) == b": jobs\n\n"
        del second  # its client was gone before it began
        third = events.listen(())
        assert await anext(third) == b": jobs\n\n"
        events.close()
        assert [of async for of in first] == [of async for of in third] == []

    asyncio.run(use())
