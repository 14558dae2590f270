"""Errors that a user can act on, raised by the algorithms."""


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; training stopped before the iteration was reported.

    Args:
        losses: The non-finite losses by name.
        env_steps: Environment steps sampled when it was noticed.
        updates: Gradient steps made when it was noticed.
    """

    def __init__(self, losses: dict[str, float], env_steps: int, updates: int) -> None:
        # All arguments go to the base class: the error travels between processes.
        super().__init__(losses, env_steps, updates)
        self.losses = losses
        self.env_steps = env_steps
        self.updates = updates

    def __str__(self) -> str:
        named = ", ".join(f"{name} is {value}" for name, value in sorted(self.losses.items()))
        return (
            f"{named} at env step {self.env_steps}, update {self.updates}; "
            "lower the learning rate or the reward scale, or check the environment's rewards"
        )


class EnvRunnersLostError(RuntimeError):
    """Every remote env runner died and none came back."""


class PoolLostError(RuntimeError):
    """The actors of a pool died again and again."""
