"""What the rollout server allows: who may ask, and how much at once."""

from dataclasses import dataclass, field

from lean_worker.http import HttpLimits, check_key
from oprover_jax.errors import InputError


@dataclass(frozen=True)
class ServerSettings:
    """Settings of one server. Whatever exceeds a limit is refused before any work is done.

    Attributes:
        model: the name under which clients ask for the model.
        key: the bearer key that every request but `/health` and the OpenAPI page must carry; None admits everybody.
        hosts: names, besides those of loopback, under which a server without a key may be addressed.
        queue_limit: completions that may be in progress or waiting in all; more are refused with 429.
        max_body_bytes: bytes of a request's body.
        max_large_bytes: bytes of all large bodies, from their headers until their prompts are made; more are refused with 429.
        max_samples: completions of one request, those of all its prompts together.
        max_prompt_tokens: tokens of all prompts of one request together.
        max_text_chars: characters of all prompts or messages of one request together.
        max_messages: messages of a chat.
        max_template_bytes: the variables of a chat template, as JSON.
        max_stops: stop strings of one request.
        max_stop_chars: characters of a stop string.
        max_stop_ids: stop token ids of one request; the engine takes fewer different ones that its vocabulary has.
        max_name_chars: characters of a request's id.
        http: limits of the connections.
    """

    model: str
    key: str | None = field(default=None, repr=False)
    hosts: tuple[str, ...] = ()
    queue_limit: int = 16_384
    max_body_bytes: int = 8 << 20
    max_large_bytes: int = 256 << 20
    max_samples: int = 1024
    max_prompt_tokens: int = 1 << 20
    max_text_chars: int = 2 << 20
    max_messages: int = 1024
    max_template_bytes: int = 16 << 10
    max_stops: int = 16
    max_stop_chars: int = 256
    max_stop_ids: int = 1024
    max_name_chars: int = 256
    http: HttpLimits = field(default_factory=HttpLimits)

    def __post_init__(self) -> None:
        try:
            check_key(self.key)
        except ValueError as error:
            raise InputError(str(error)) from error
        for name, value in vars(self).items():
            if name.startswith(("max_", "queue_")) and value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1")
