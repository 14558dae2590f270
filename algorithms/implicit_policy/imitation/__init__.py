"""Imitation of trajectories, by likelihood and by a discriminator."""
