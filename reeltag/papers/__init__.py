"""How was paper X done? One short program per paper. To add one: its file, its name in the tuple.

A solution is a module `reeltag/papers/<team><year>/program.py` of one screen (or named for what it
makes, where no paper does: `moments`). Its docstring begins with
a title, and then has a header; what stands there is what `reeltag solve` lists and `--help` shows:

    Paper:     who, when, where
    Needs:     which data (frames? rated segments?), which machine
    Cost:      how long it takes, and what it leaves on the disk, at which size
    Run:       reeltag solve <name> --data DATA --out WORK
    Try:       reeltag solve <name> --tiny --out WORK
    Reaches:   what was measured here (results/<name>.json), with the paper's own figure
    Departs:   from the paper, and why (docs/departures.md)

A line that goes on is indented. The module exports

    Config     a frozen, keyword-only dataclass: sizes, seeds, scale; the paper's are the defaults.
               Each field has a sentence under it and becomes a flag; the names of the flags of
               `reeltag solve` itself (data, out, tiny, dry_run, only, ...) are taken.
               What does not change results (workers, device) is a `field(compare=False)`.
    TINY       a Config with which the whole program takes less than half a minute on a CPU.
    TINY_DATA  a SynthConfig: the corpus that --tiny makes where no --data is given, and the tests.
    solve      (data: Path, config: Config) -> Goal. It builds the graph; nothing runs yet. Whatever
               is wrong with the data (no rated segments, video-level records) is said here, before
               hours have passed: DataError naming what is needed and which command makes it.

    def solve(data: Path, config: Config) -> Goal:
        index = open_index(data)
        given, parts = data_source(data, index), roles(index)          # .inputs
        model = step(train, given, name="I", model=..., recipe=...)  # .work
        said = step(predict_segments, model, given, name="I", judges=parts.judges)
        judged = step(score, said, given, name="I", judges=parts.judges)
        return Goal(steps=(judged,), tables=lambda folder: [table_1(folder(judged))])

What the programs are made of lies in folders beside them:

    plans      a file for each solution: Config, TINY, sizes small and published, what follows
    tables     a file for each solution: the steps that judge, the paper's figures beside ours
    inputs     the data as an input of steps; who learns and who judges
    work       what steps do: training, predictions, soft labels, means of them, scores
    steps      for the solutions with many models: their steps by what they are for
    costs      what it takes

`tables` is called when all goals are there, with what tells where a step lies; it may read the
goals and nothing else (what only led to them may have been removed). It returns `Table`s, the
paper's figures beside ours, for the terminal, for --json, for WORK/<name>.json and for the report.
A goal may have a `closing` too: a plain word below the tables, and which commands to type next.

The function of a step is called as `train(out, *inputs, **config)`, see `reeltag.pipeline.steps`:
`out` may hold what a killed call left, and it goes on from there. Keys know it by the id and
version of its `@step_function`; the version is raised when it computes something else. On Ctrl-C it
raises rather than returns. Solutions in one WORK share steps of equal name and key.

`tests/papers/test_contract.py` holds every listed solution to all this, and runs it tiny.
"""

from reeltag.papers.autohome2019 import program as autohome2019
from reeltag.papers.axon2018 import program as axon2018
from reeltag.papers.common.contract import SolutionModule
from reeltag.papers.moments import program as moments
from reeltag.papers.oppo2019 import program as oppo2019
from reeltag.papers.samsung2018 import program as samsung2018

SOLUTIONS: tuple[SolutionModule, ...] = (
    oppo2019,
    autohome2019,
    axon2018,
    samsung2018,
    moments,
)
