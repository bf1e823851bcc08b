"""Speeds from which the cost of a run is planned (`posttraining.costs`)."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Rates:
    """Speeds that the plan assumes. Override them with what `bench/` and `metrics.jsonl` say on your machines.

    Attributes:
      chip_tflops: Peak of one chip in bfloat16, in TFLOP/s.
      training_mfu: Share of the peak that training reaches.
      decoding_mfu: Share of the peak that sampling reaches; decoding is bound by memory.
      attempt: Share of the maximum length that an attempt has on average.
      check_seconds: Seconds of one CPU core for a check.
      lean_cores: CPU cores that check proofs at the same time.
      trainer_chips: Chips that train.
      engine_chips: Chips that sample.
    """

    chip_tflops: float = 459.0
    training_mfu: float = 0.4
    decoding_mfu: float = 0.1
    attempt: float = 0.3
    check_seconds: float = 10.0
    lean_cores: int = 800
    trainer_chips: int = 4
    engine_chips: int = 64

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            if not getattr(self, name) > 0:
                raise ValueError(f"--rates.{name.replace('_', '-')} is {getattr(self, name)}; give a positive number")
