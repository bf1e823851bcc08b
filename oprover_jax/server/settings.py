"""Settings of the rollout server: access control and limits."""

from dataclasses import dataclass, field

from lean_worker.http import HttpLimits, check_key
from oprover_jax.errors import InputError


@dataclass(frozen=True)
class ServerSettings:
    """Settings of one server. Requests beyond a limit are rejected before any work is done.

    Attributes:
        model: Model name in the API.
        key: Bearer key required by every endpoint except `/health` and the OpenAPI page; None disables authentication.
        hosts: Additional host names, besides loopback names, under which a server without a key may be addressed.
        queue_limit: Running and queued completions in total; more are rejected with 429.
        max_body_bytes: Bytes of a request body.
        max_large_bytes: Bytes of all large bodies until they are converted to prompts; more are rejected with 429.
        max_samples: Completions of one request over all its prompts.
        max_prompt_tokens: Tokens of all prompts of one request.
        max_text_chars: Characters of all prompts or messages of one request.
        max_messages: Messages of a chat.
        max_template_bytes: Bytes of the chat template variables, as JSON.
        max_stops: Stop strings of one request.
        max_stop_chars: Characters of a stop string.
        max_stop_ids: Stop token ids of one request; the engine accepts fewer distinct ones within its vocabulary.
        max_name_chars: Characters of a request id.
        http: Connection limits.
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
