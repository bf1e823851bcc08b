"""The JSON of OpenAI's completions and chat completions, as far as this server speaks it. A field that is not here is refused."""

from typing import Any

import msgspec


class StreamOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    include_usage: bool = False


class _Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`top_k`, `min_p`, `stop_token_ids` and `ignore_eos` are not OpenAI's, but those that SGLang and vLLM add. `user`, `store` and
    `metadata` mean nothing here and change nothing."""

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
    """`prompt` is a text, a list of texts, ids, or a list of lists of ids. `logprobs` 0 or 1 asks for those of the drawn tokens."""

    prompt: str | list[str | int | list[int]]
    max_tokens: int | None = None
    logprobs: int | None = None
    echo: bool = False
    best_of: int | None = None


class TextPart(msgspec.Struct, frozen=True, tag="text", tag_field="type"):
    text: str


class ChatMessage(msgspec.Struct, frozen=True):
    role: str
    content: str | list[TextPart]
    name: str | None = None

    def texts(self) -> list[str]:
        """Every text in it."""
        parts = [self.content] if isinstance(self.content, str) else [part.text for part in self.content]
        return [self.role, self.name or "", *parts]

    def plain(self) -> dict[str, str]:
        """As chat templates read it, the parts of the content joined."""
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": self.role, "content": content} | ({"name": self.name} if self.name else {})


class ChatRequest(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`chat_template_kwargs` are variables of the model's chat template, such as enable_thinking."""

    messages: list[ChatMessage]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    chat_template_kwargs: dict[str, Any] = {}


class Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Reply(msgspec.Struct, frozen=True):
    """A completion or a chat completion, or a part of a stream of it; `object` tells which."""

    id: str
    object: str
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: Usage | msgspec.UnsetType | None = msgspec.UNSET
