"""JSON schemas of the supported part of OpenAI's completions and chat completions. Unknown fields are rejected."""

from typing import Any

import msgspec


class StreamOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a stream; `include_usage` adds a final chunk with token counts."""

    include_usage: bool = False


class _Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields of both requests. `top_k`, `min_p`, `stop_token_ids` and `ignore_eos` are extensions, as in SGLang and vLLM. `user`, `store`
    and `metadata` are ignored."""

    model: str = ""
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    n: int = 1
    stop: str | list[str] | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool = False
    seed: int | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    user: str | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None


class CompletionRequest(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Completion request. `prompt` is a text, a list of texts, a list of ids, or a list of lists of ids. `logprobs` 0 or 1 requests the
    log-probabilities of the sampled tokens."""

    prompt: str | list[str | int | list[int]]
    max_tokens: int | None = None
    logprobs: int | None = None
    echo: bool = False
    best_of: int | None = None


class TextPart(msgspec.Struct, frozen=True, tag="text", tag_field="type"):
    """Text part of a chat message."""

    text: str


class ChatMessage(msgspec.Struct, frozen=True):
    """Message of a chat."""

    role: str
    content: str | list[TextPart]
    name: str | None = None

    def texts(self) -> list[str]:
        """Return all texts of the message."""
        parts = [self.content] if isinstance(self.content, str) else [part.text for part in self.content]
        return [self.role, self.name or "", *parts]

    def plain(self) -> dict[str, str]:
        """Return the message as chat templates expect it, with the parts of its content joined."""
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": self.role, "content": content} | ({"name": self.name} if self.name else {})


class ChatRequest(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chat completion request. `chat_template_kwargs` are variables of the model's chat template, such as enable_thinking."""

    messages: list[ChatMessage]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    chat_template_kwargs: dict[str, Any] = {}


class Usage(msgspec.Struct, frozen=True):
    """Token counts of a reply."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Reply(msgspec.Struct, frozen=True):
    """Completion, chat completion or chunk of a stream, as given by `object`."""

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
