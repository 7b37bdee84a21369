"""A fuzz target with every kind of fault, each behind a byte."""

import os
import random
import signal
import time

from benchmarks.fuzz.target import Case, Outcome, Target, WrongError
from reeltag.core.errors import DataError


class Frail(Target):
    """A reader with every kind of fault, each behind a byte."""

    name, about, limit_s, limit_mb = "tests.benchmarks.frail_target", "a reader", 0.3, 256

    def make(self, rng: random.Random) -> Case:
        return Case("frail", rng.randbytes(6) + rng.choice([b"C", b"H", b"M", b"T", b"W", b"ok"]))

    def run(self, case: Case) -> Outcome:
        if b"C" in case.data:
            os.kill(os.getpid(), signal.SIGSEGV)
        if b"H" in case.data:
            while True:
                time.process_time()
        if b"M" in case.data:
            len(bytearray(1 << 30))
        if b"T" in case.data:
            raise KeyError("x")
        if b"W" in case.data:
            raise WrongError("another value")
        if case.data[0] % 2:
            raise DataError("refused")
        return "accepted"


TARGET = Frail
