"""What several methods share: rollouts, replay, learner, networks."""
