"""How the gate and the swap refuse."""

from collections.abc import Sequence

from send_returns.failure import Failure


class GateFailed(Failure):
    """The candidate did not pass, and what is live is untouched. `lines` has one for each blocking rule."""

    def __init__(self, run_id: str, lines: Sequence[str]) -> None:
        super().__init__(f"Run {run_id} did not pass the gate; nothing was published.\n" + "\n".join(lines))
        self.lines = tuple(lines)


class SwapError(Failure):
    """The candidate could not be made live; what was live is untouched. The message says what to do."""
