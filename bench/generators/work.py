"""What is asked of a generator, and what it says about it afterwards."""
import dataclasses
import typing


class Trouble(Exception):
    """Something is missing, did not start or broke; the text tells what to do."""


@dataclasses.dataclass(frozen=True)
class Work:
    """`connections` send `payload_bytes`, wait for the answer, and so on for `seconds`.

    `rate`: messages a second over all connections; None: the next as soon as the answer is there.
    """
    connections: int
    seconds: float
    payload_bytes: int = 256
    rate: typing.Optional[float] = None

    @property
    def think_s(self):
        """The pause of a user who has no schedule but thinks between messages."""
        return self.connections / self.rate if self.rate else 0


@dataclasses.dataclass
class Said:
    """A generator's own report; None is what it does not report. Milliseconds."""
    messages: typing.Optional[int] = None
    per_s: typing.Optional[float] = None
    mean_ms: typing.Optional[float] = None
    p50_ms: typing.Optional[float] = None
    p90_ms: typing.Optional[float] = None
    p99_ms: typing.Optional[float] = None
    max_ms: typing.Optional[float] = None
    # Latency from when a message was sent, for a tool that has it beside the one from its schedule.
    uncorrected: typing.Optional[dict] = None
    verdict: typing.Optional[str] = None
