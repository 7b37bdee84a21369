"""How was paper X done? A folder a paper; to add one: its folder, its name in the tuple.

    papers/<team><year>/            or named after its result, where there is no paper: `moments`
        program.py                  PROGRAM and solve(data, config): the stages as steps
        config.py                   Config (flags), TINY, sizes small and published, recipes
        tables.py                   what is evaluated, and the paper's figures next to ours
        steps.py, first_level.py    where there are many models
    papers/common/
        program.py                  Program, Goal: what every program exports
        graph.py                    GraphBuilder, Evaluation: steps that papers share
        splits/                     what trains, what is held out, what is evaluated
        steps/                      what steps do: train, predict, soft_labels, blend, evaluate, ...
        costs.py                    how long a step takes before any was measured
        tables.py                   tables for the terminal, JSON and reports
        dataset_source.py           a data set as an input of steps

A step's function fills a folder; `reeltag.pipeline.steps` explains how it is called, named and
found again. Programs in one WORK share steps of equal name and key.

`tests/papers/test_contract.py` holds every listed program to `Program`'s rules, and runs it tiny.
"""

from reeltag.papers import autohome2019, axon2018, moments, oppo2019, samsung2018
from reeltag.papers.common.program import Program

PROGRAMS: tuple[Program, ...] = (
    oppo2019.PROGRAM,
    autohome2019.PROGRAM,
    axon2018.PROGRAM,
    samsung2018.PROGRAM,
    moments.PROGRAM,
)
