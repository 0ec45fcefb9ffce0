"""What can go wrong in an engine.

Law: few kinds, no status codes. A message is a sentence that may be shown to the person who asked.
"""

from __future__ import annotations


class EngineError(Exception):
    """An engine could not do its work."""


class EngineMissing(EngineError):
    """The engine's library is not installed."""

    def __init__(self, engine: str, extra: str) -> None:
        super().__init__(
            f"The engine `{engine}` is not installed. Install it with `make serve ALL=1`, or with "
            f"`pip install 'antiphon[{extra}]'`, and start the server again."
        )
        self.engine = engine
        self.extra = extra


class WeightsBroken(EngineError):
    """The weights are there, but the engine cannot load them."""


class UnsupportedInput(EngineError):
    """The engine cannot do what is asked, whatever the audio."""


class NeedsTrust(WeightsBroken):
    """The weights can only be loaded by running what their author wrote."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The weights are not loaded, because {reason}, and so could run code of their author with all "
            "the rights of this server. If you trust the author with that, run "
            "`antiphon models pull --trust OWNER/NAME` on the server."
        )
