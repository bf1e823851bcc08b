"""Rendering of chat messages to a prompt: by the chat template of the model's tokenizer, or by a plain rule without one."""

import json
import time
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NoReturn

import jinja2
import jinja2.sandbox

from oprover_jax.errors import InputError

PLAIN_RULE = "this model has no chat template: the messages' texts, joined by blank lines and without their roles, are the prompt"

_MAX_CHARACTERS = 16 << 20
_MAX_SECONDS = 5.0
_deadline: ContextVar[float] = ContextVar("deadline")


class _Scope(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """Sandbox that also limits rendering time and string sizes: a template comes from the model, but what it repeats, and how often, may
    come from a client."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> Any:
        for operand, times in ((left, right), (right, left)):
            if isinstance(times, int) and isinstance(operand, str | list | tuple) and len(operand) * times > _MAX_CHARACTERS:
                raise jinja2.TemplateError(f"{len(operand)} characters or items are repeated {times} times")
        if operator == "**" and isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > _MAX_CHARACTERS:
            raise jinja2.TemplateError("a power is too large")
        return super().call_binop(context, operator, left, right)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        _check_time()
        return super().call(*args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        _check_time()
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        _check_time()
        return super().getitem(obj, argument)


class ChatTemplate:
    """A jinja2 template as `transformers` stores it in tokenizer_config.json or chat_template.jinja, with the same names in its scope.

    It runs sandboxed, for some seconds at most. Raises InputError if it cannot be parsed.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        scope = _Scope(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"], autoescape=False)
        scope.filters["tojson"] = _to_json
        scope.globals["raise_exception"] = _refuse
        scope.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        try:
            self._template = scope.from_string(source)
        except jinja2.TemplateError as error:
            raise InputError(f"the model's chat template cannot be read ({error}); fix it in the model's folder") from error
        self._special_tokens = dict(special_tokens)

    def __call__(self, messages: Sequence[Mapping[str, Any]], **variables: Any) -> str:
        """Return the prompt for the model's answer. Raises InputError if the template refuses the messages or its output is too large."""
        scope = {**self._special_tokens, **variables}
        _deadline.set(time.monotonic() + _MAX_SECONDS)
        parts, characters = [], 0
        try:
            for part in self._template.generate(messages=messages, add_generation_prompt=True, **scope):
                _check_time()
                parts.append(part)
                characters += len(part)
                if characters > _MAX_CHARACTERS:
                    raise jinja2.TemplateError(f"the prompt has more than {_MAX_CHARACTERS} characters")
        except Exception as error:  # a template may raise anything on unexpected input
            raise InputError(f"the model's chat template refuses these messages: {error}") from error
        return "".join(parts)


def plain_prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the prompt for a model without a template; see PLAIN_RULE."""
    return "\n\n".join(str(message["content"]) for message in messages)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _check_time() -> None:
    if time.monotonic() > _deadline.get():
        raise jinja2.TemplateError(f"rendering takes more than {_MAX_SECONDS:.0f} s")


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
