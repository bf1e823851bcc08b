"""From the messages of a chat to the text of a prompt: by the template of the model's tokenizer, else by a plain rule."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

import jinja2
import jinja2.sandbox

from oprover_jax.errors import InputError

PLAIN_RULE = "this model has no chat template: the messages' texts, joined by blank lines and without their roles, are the prompt"


class ChatTemplate:
    """A jinja2 template as `transformers` keeps it in tokenizer_config.json or chat_template.jinja, with the same names in its scope.

    It runs sandboxed. Raises InputError where it is no template.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        scope = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"], autoescape=False
        )
        scope.filters["tojson"] = _to_json
        scope.globals["raise_exception"] = _refuse
        scope.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        try:
            self._template = scope.from_string(source)
        except jinja2.TemplateError as error:
            raise InputError(f"the model's chat template cannot be read ({error}); correct it in its folder") from error
        self._special_tokens = dict(special_tokens)

    def __call__(self, messages: Sequence[Mapping[str, Any]], **variables: Any) -> str:
        """The prompt after which the model is to answer. InputError where the template refuses the messages."""
        scope = {**self._special_tokens, **variables}
        try:
            return self._template.render(messages=messages, add_generation_prompt=True, **scope)
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            raise InputError(f"the model's chat template refuses these messages: {error}") from error


def plain_prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """What is done for a model without a template; see PLAIN_RULE."""
    return "\n\n".join(str(message["content"]) for message in messages)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
