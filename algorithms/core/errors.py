"""Errors that a user can act on, raised by the algorithms."""


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the update that produced it has not been reported as done."""

    def __init__(self, losses: dict[str, float], env_steps: int, updates: int) -> None:
        """Name the losses that are not finite.

        Args:
            losses: The non-finite losses by name.
            env_steps: Environment steps sampled when it was noticed.
            updates: Gradient steps made when it was noticed.
        """
        named = ", ".join(f"{name} is {value}" for name, value in sorted(losses.items()))
        super().__init__(
            f"{named} at env step {env_steps}, update {updates}; "
            "lower the learning rate or the reward scale, or check the environment's rewards"
        )
        self.losses = losses
        self.env_steps = env_steps
        self.updates = updates


class EnvRunnersLostError(RuntimeError):
    """Every remote env runner died and none came back."""
