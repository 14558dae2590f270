"""The discriminator's states: uniform over history, balanced over skills."""

import numpy as np

from expedition.algorithms.smm.state_pool import StatePool


def test_every_state_of_the_history_is_kept_with_the_same_chance():
    size, shown, trials = 10, 60, 3000
    kept = np.zeros(shown)
    for seed in range(trials):
        pool = StatePool(1, size, 1, seed)
        for start in range(0, shown, 12):  # in batches, as rounds bring them
            pool.add(0, np.arange(start, start + 12, dtype=np.float32)[:, None])
        kept[pool.state_dict()["states"][0, :, 0].astype(int)] += 1
    share = kept / trials
    error = 4 * np.sqrt(size / shown * (1 - size / shown) / trials)
    np.testing.assert_allclose(share, size / shown, atol=error)


def test_a_batch_holds_equally_many_states_of_each_skill():
    pool = StatePool(3, 100, 2, seed=0)
    for skill, count in enumerate((1000, 5, 40)):
        pool.add(skill, np.full((count, 2), skill, np.float32))
    states, skills = pool.sample(90)
    assert np.bincount(skills.numpy()).tolist() == [30, 30, 30]
    assert (states[:, 0].numpy() == skills.numpy()).all()
    assert len(pool) == 5


def test_no_skill_has_more_states_than_others_in_the_long_run():
    pool = StatePool(3, 10, 1, seed=0)
    for skill in range(3):
        pool.add(skill, np.zeros((10, 1), np.float32))
    counts = np.array([np.bincount(pool.sample(4)[1], minlength=3) for _batch in range(900)])
    assert (np.sort(counts, axis=1) == [1, 1, 2]).all()
    # Who has two is uniform: of 900 batches 300, with a standard deviation of 14.
    assert np.abs((counts == 2).sum(axis=0) - 300).max() < 57
    fewer_than_skills = [pool.sample(2)[1].tolist() for _batch in range(100)]
    assert {skill for batch in fewer_than_skills for skill in batch} == {0, 1, 2}


def test_the_state_of_the_pool_continues_it():
    pool, copy = StatePool(2, 8, 1, seed=0), StatePool(2, 8, 1, seed=9)
    rng = np.random.default_rng(0)
    for skill in (0, 1):
        pool.add(skill, rng.normal(size=(20, 1)).astype(np.float32))
    copy.load_state_dict(pool.state_dict())
    more = rng.normal(size=(15, 1)).astype(np.float32)
    for one in (pool, copy):
        one.add(1, more)
    np.testing.assert_array_equal(pool.sample(64)[0], copy.sample(64)[0])
