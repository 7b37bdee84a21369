"""Seeds depend on their purpose alone, and are the same everywhere."""

from reeltag.core.seeding import derive_seed


def test_seed_is_the_same_on_every_machine() -> None:
    assert derive_seed(0, "shuffle", 3) == 2386335075006008887


def test_seeds_of_different_purposes_differ() -> None:
    seeds = {
        derive_seed(s, p, e) for s in range(5) for p in ("shuffle", "frames") for e in range(5)
    }
    assert len(seeds) == 50 and all(0 <= seed < 2**63 for seed in seeds)
