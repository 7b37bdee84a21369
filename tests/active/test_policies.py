"""What to rate next: what each policy prefers, and that everything keeps a chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reeltag.active.policies import POLICIES, Candidates, PolicyMixture, PolicyName, choose
from reeltag.core.errors import ConfigError

NUMBER = 200


def candidates(**columns: object) -> Candidates:
    rng = np.random.default_rng(0)
    usual: dict[str, object] = {
        "windows": np.arange(NUMBER),
        "classes": np.arange(NUMBER) % 2,
        "logits": rng.normal(size=NUMBER) * 3,
        "members": rng.normal(size=(5, NUMBER)),
        "features": rng.normal(size=(NUMBER, 4)).astype(np.float32),
        "labelled": np.arange(NUMBER) < 40,
    }
    return Candidates(**(usual | columns))  # type: ignore[arg-type]


def chosen(of: Candidates, policy: PolicyName | PolicyMixture, share: float = 0.01) -> np.ndarray:
    """Return the first draw of each of 200 choices."""
    return np.array(
        [choose(of, 1, policy, np.random.default_rng(n), share=share).rows[0] for n in range(200)]
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_policy_draws_each_pair_once_with_a_chance(policy: PolicyName) -> None:
    choice = choose(candidates(), NUMBER + 5, policy, np.random.default_rng(3))
    assert sorted(choice.rows) == list(range(NUMBER))
    left = NUMBER - np.arange(NUMBER)
    assert (choice.chances >= 0.2 / left - 1e-12).all() and (choice.chances <= 1).all()
    assert choice.chances[-1] == pytest.approx(1)  # the last pair that is left


def test_random_draws_all_pairs_with_the_same_chance() -> None:
    choice = choose(candidates(), 3, "random", np.random.default_rng(0), share=0.5)
    assert choice.chances.tolist() == pytest.approx([1 / 200, 1 / 199, 1 / 198])
    assert set(choice.reasons) == {"random"}


def test_uncertainty_prefers_logits_near_the_threshold() -> None:
    logits = np.linspace(-4, 4, NUMBER)
    at_0 = chosen(candidates(logits=logits), PolicyMixture(parts={"unsure": 1}, sharpness=3))
    at_2 = chosen(
        candidates(logits=logits, thresholds=np.full(NUMBER, 2.0)),
        PolicyMixture(parts={"unsure": 1}, sharpness=3),
    )
    assert abs(np.median(logits[at_0])) < 0.1 and abs(np.median(logits[at_2]) - 2) < 0.1


def test_likely_prefers_high_logits_and_disagreement_members_that_differ() -> None:
    of = candidates()
    assert of.logits is not None and of.members is not None
    best = np.argsort(-of.logits)[:20]
    assert np.isin(chosen(of, "likely"), best).mean() > 0.5  # 1 / 10 at random
    differ = np.argsort(-(1 / (1 + np.exp(-of.members))).std(0))[:20]
    assert np.isin(chosen(of, "disagreement"), differ).mean() > 0.5


def test_diversity_leaves_what_was_rated() -> None:
    features = np.zeros((NUMBER, 2), np.float32)
    features[:10] = 1.0
    of = candidates(features=features, rated_features=np.zeros((1, 2), np.float32))
    assert (chosen(of, "diversity") < 10).mean() > 0.95


def test_labelled_draws_only_what_is_labelled_while_there_is_any() -> None:
    mixture = PolicyMixture(parts={"labelled": 1})
    assert (chosen(candidates(), mixture) < 40).mean() > 0.95  # 1 % are random
    everything = choose(candidates(), NUMBER, mixture, np.random.default_rng(0))
    assert everything.reasons.count("labelled") <= 40


def test_balanced_prefers_the_class_of_which_little_was_rated() -> None:
    classes = (np.arange(NUMBER) >= 5).astype(np.int64)  # 5 pairs of class 0
    few = candidates(classes=classes, num_ratings=np.array([0, 9]), labelled=None)
    alike = candidates(classes=classes, labelled=None)
    # by weights 1 and 1 / 10: 0.91; of as many ratings: 0.5; 200 draws have a deviation of 0.035
    assert (classes[chosen(few, "balanced")] == 0).mean() > 0.8
    assert 0.35 < (classes[chosen(alike, "balanced")] == 0).mean() < 0.65


def test_reason_names_what_drew_the_pair() -> None:
    choice = choose(candidates(), 100, "balanced", np.random.default_rng(0))
    assert set(choice.reasons) == {"random", "unsure", "labelled", "different"}
    assert 5 <= choice.reasons.count("random") <= 40  # 20, deviation 4


def test_criterion_without_its_column_is_left_out() -> None:
    bare = candidates(logits=None, members=None, features=None, labelled=None)
    assert set(choose(bare, 9, "balanced", np.random.default_rng(0)).reasons) == {"random"}
    seen = candidates(logits=None, labelled=None)
    reasons = choose(seen, 50, "balanced", np.random.default_rng(0)).reasons
    assert set(reasons) == {"random", "different"}


def test_same_generator_gives_the_same_choice() -> None:
    first, second = (
        choose(candidates(), 20, "balanced", np.random.default_rng(4)) for _ in range(2)
    )
    assert first.rows.tolist() == second.rows.tolist()


@pytest.mark.parametrize("share", [0, -0.1, 1.5, float("nan")])
def test_share_out_of_range_raises(share: float) -> None:
    with pytest.raises(ConfigError, match=r"in \(0, 1\]"):
        choose(candidates(), 1, "random", np.random.default_rng(0), share=share)


def test_unknown_policy_and_negative_count_raise() -> None:
    with pytest.raises(ConfigError, match="there are balanced, random"):
        choose(candidates(), 1, "best", np.random.default_rng(0))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="at least 0"):
        choose(candidates(), -1, "random", np.random.default_rng(0))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 6), st.integers(1, 3), st.sampled_from(list(POLICIES)), st.integers(0, 2**32))
def test_few_candidates_of_any_class_are_all_drawn(
    number: int, width: int, policy: PolicyName, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    of = Candidates(
        windows=rng.integers(0, 3, number),
        classes=rng.integers(0, 4, number) * 7,
        logits=rng.choice([-np.inf, 0.0, 0.0, 9.0], number),
        members=rng.normal(size=(2, number)),
        features=rng.normal(size=(3, width)).astype(np.float32),
        num_ratings=rng.integers(0, 9, 22),
    )
    choice = choose(of, 10, policy, rng)
    assert sorted(choice.rows) == list(range(number))
    assert ((choice.chances > 0) & (choice.chances <= 1)).all()
