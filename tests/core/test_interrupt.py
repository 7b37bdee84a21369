"""Ctrl-C: the first is noted and told, the second stops, and afterwards all is as before."""

import signal
import threading

import pytest

from reeltag.core.interrupt import StopRequest, listening_for_stop


def test_first_interrupt_is_noted_and_the_second_stops(capfd: pytest.CaptureFixture[str]) -> None:
    stop, before = StopRequest("batch"), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), listening_for_stop(stop):
        assert not stop.requested
        signal.raise_signal(signal.SIGINT)
        assert stop.requested and "stopping after this batch" in capfd.readouterr().err
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_the_main_thread_nothing_is_heard() -> None:
    ran: list[object] = []

    def work() -> None:
        with listening_for_stop(StopRequest("batch")):
            ran.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ran == [signal.getsignal(signal.SIGINT)]
