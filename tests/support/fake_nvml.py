"""A fake NVIDIA driver: the part of `pynvml` that Antiphon uses, with simulated GPUs."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

GIB = 1024**3


class NVMLError(Exception):
    """Stands in for the exception of that name in pynvml."""


@dataclass(frozen=True)
class Card:
    """What the driver reports about one GPU."""

    name: str = "NVIDIA H100"
    memory: int = 80 * GIB
    free: int = 79 * GIB
    capability: tuple[int, int] = (9, 0)
    uuid: str = "GPU-0"
    parts: tuple[Card, ...] = ()
    """The parts of a GPU that is divided (MIG)."""


@dataclass
class Nvml:
    """Stands in for the module `pynvml` in `sys.modules`."""

    cards: list[Card]
    version: str = "550.54.14"
    cuda: int = 12040
    broken: bool = False
    silent: bool = False
    """Whether the driver does not report the memory, as on machines whose GPU shares the main memory."""
    NVMLError: type[NVMLError] = field(default=NVMLError)
    open: int = 0

    def nvmlInit(self) -> None:  # noqa: N802 - pynvml's names
        if self.broken:
            raise NVMLError("Driver/library version mismatch")
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Card:  # noqa: N802
        return self.cards[index]

    def nvmlDeviceGetMigMode(self, card: Card) -> list[int]:  # noqa: N802
        if not card.parts and card.capability[0] < 8:
            raise NVMLError
        return [int(bool(card.parts))] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, card: Card) -> int:  # noqa: N802
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, card: Card, index: int) -> Card:  # noqa: N802
        if index >= len(card.parts):
            raise NVMLError
        return card.parts[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Card:  # noqa: N802
        return next(card for card in self.cards if card.uuid == uuid)

    def nvmlDeviceGetUtilizationRates(self, card: Card) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=90)

    def nvmlDeviceGetUUID(self, card: Card) -> str:  # noqa: N802
        return card.uuid

    def nvmlDeviceGetName(self, card: Card) -> str:  # noqa: N802
        return card.name

    def nvmlDeviceGetMemoryInfo(self, card: Card) -> SimpleNamespace:  # noqa: N802
        if self.silent:
            raise NVMLError
        return SimpleNamespace(total=card.memory, free=card.free, used=card.memory - card.free)

    def nvmlDeviceGetCudaComputeCapability(self, card: Card) -> tuple[int, int]:  # noqa: N802
        if card not in self.cards:  # the driver reports it for whole GPUs only
            raise NVMLError
        return card.capability

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        return self.version

    def nvmlSystemGetCudaDriverVersion(self) -> int:  # noqa: N802
        return self.cuda
