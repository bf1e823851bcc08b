"""The rollout server over real HTTP: uvicorn on a loopback port, a tiny random model, OpenAI's published client."""

import asyncio
import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import jax
import openai
import pytest
import rollout_server
from tiny_model import TEXT

from oprover_jax.data.chat import ChatTemplate
from oprover_jax.data.codec import load_codec
from oprover_jax.models.hf.load import load_hf
from oprover_jax.rollout.checksum import checksum
from oprover_jax.rollout.engine import Completion, Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.server.service import Service
from oprover_jax.server.settings import ServerSettings

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

PROMPT = "theorem one"


@pytest.fixture(scope="module")
def service(model_folder: Path, mesh: jax.sharding.Mesh) -> Iterator[Service]:
    config, params = load_hf(model_folder, mesh)
    with JaxEngine(config, params, mesh, slots=4, max_len=64, prefill_batches=(2,), decode_chunk=4, max_stop_ids=16) as engine:
        settings = ServerSettings("tiny", key="secret", max_body_bytes=100_000, max_samples=40, queue_limit=60)
        yield Service(engine, load_codec(model_folder), settings, model_folder)


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    with rollout_server.thread(service) as url:
        yield url


@pytest.fixture(scope="module")
def http(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, headers={"Authorization": "Bearer secret"}, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="secret", max_retries=0) as client:
        yield client


def directly(service: Service, request: Request) -> list[Completion]:
    async def ask() -> list[Completion]:
        return await service.engine.generate(request)

    return asyncio.run(ask())


def generate(http: httpx2.Client, **body: object) -> httpx2.Response:
    return http.post("/generate", json=body)


def test_generate_answers_what_the_engine_draws(service: Service, http: httpx2.Client) -> None:
    ids = service.codec.encode(PROMPT)
    request = Request(tuple(ids), Sampling(12, 0.8, service.codec.end_ids, top_p=0.9, top_k=40), 3, seed=7)
    sampling = {"max_new_tokens": 12, "temperature": 0.8, "top_p": 0.9, "top_k": 40, "n": 3, "sampling_seed": 7}
    for prompt in ({"input_ids": ids}, {"text": PROMPT}):
        answers = generate(http, **prompt, sampling_params=sampling, return_logprob=True).json()
        for index, (answer, drawn) in enumerate(zip(answers, directly(service, request), strict=True)):
            meta = answer["meta_info"]
            assert answer["index"] == index
            assert answer["output_ids"] == list(drawn.token_ids) == [entry[1] for entry in meta["output_token_logprobs"]]
            assert [entry[0] for entry in meta["output_token_logprobs"]] == pytest.approx(drawn.logprobs, abs=1e-5)
            assert answer["text"] == service.codec.decode(drawn.token_ids)
            assert (meta["prompt_tokens"], meta["completion_tokens"], meta["weight_version"]) == (len(ids), len(drawn.token_ids), "0")
            if drawn.finish_reason == "length":
                assert meta["finish_reason"] == {"type": "length", "length": 12}


def test_a_batch_is_answered_in_order_and_one_prompt_by_itself(service: Service, http: httpx2.Client) -> None:
    ids = [service.codec.encode(text) for text in ("theorem", "by exact", "h")]
    sampling = {"max_new_tokens": 5, "temperature": 0, "ignore_eos": True}
    batch = generate(http, input_ids=ids, sampling_params=sampling, rid=["a", "b", "c"]).json()
    assert [answer["meta_info"]["id"] for answer in batch] == ["a", "b", "c"]
    for prompt, answer in zip(ids, batch):
        alone = generate(http, input_ids=prompt, sampling_params=sampling).json()
        assert alone["output_ids"] == answer["output_ids"]
        assert "output_token_logprobs" not in alone["meta_info"]


def test_prompt_logprobs_are_those_of_drawing_it(service: Service, http: httpx2.Client) -> None:
    ids = tuple(service.codec.encode(PROMPT))
    (drawn,) = directly(service, Request(ids, Sampling(9, 1.0), seed=3))
    whole = [*ids, *drawn.token_ids]
    body = {"input_ids": whole, "return_logprob": True, "logprob_start_len": 0, "sampling_params": {"max_new_tokens": 1}}
    entries = generate(http, **body).json()["meta_info"]["input_token_logprobs"]
    assert entries[0] == [None, ids[0], None] and [entry[1] for entry in entries] == whole
    assert [entry[0] for entry in entries[len(ids) :]] == pytest.approx(drawn.logprobs, abs=1e-4)


def test_the_native_stream_grows_to_the_whole_answer(http: httpx2.Client) -> None:
    body = {"text": PROMPT, "sampling_params": {"max_new_tokens": 18, "sampling_seed": 5, "n": 2}, "return_logprob": True}
    whole = generate(http, **body).json()
    with http.stream("POST", "/generate", json={**body, "stream": True}) as response:
        lines = [line.removeprefix("data: ") for line in response.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    events = [json.loads(line) for line in lines[:-1]]
    for index in (0, 1):
        mine = [event for event in events if event["index"] == index]
        assert len(mine) > 2 and mine[0]["meta_info"]["finish_reason"] is None
        assert all(later["text"].startswith(earlier["text"]) for earlier, later in zip(mine, mine[1:]))  # noqa: RUF007
        assert mine[-1]["output_ids"] == whole[index]["output_ids"]
        assert mine[-1]["meta_info"]["finish_reason"] == whole[index]["meta_info"]["finish_reason"]


def test_stop_strings_end_the_text_and_name_themselves(service: Service, http: httpx2.Client) -> None:
    sampling = {"max_new_tokens": 40, "sampling_seed": 11, "ignore_eos": True}
    free = generate(http, text=PROMPT, sampling_params=sampling).json()
    stop = next(pair for pair in (free["text"][i : i + 2] for i in range(3, 40)) if "\ufffd" not in pair)
    cut = generate(http, text=PROMPT, sampling_params={**sampling, "stop": [stop, "nowhere to be found"]}, return_logprob=True).json()
    assert cut["text"] == free["text"][: free["text"].index(stop)]
    assert cut["meta_info"]["finish_reason"] == {"type": "stop", "matched": stop}
    count = cut["meta_info"]["completion_tokens"]
    assert cut["output_ids"] == free["output_ids"][:count] and len(cut["meta_info"]["output_token_logprobs"]) == count
    assert stop in service.codec.decode(cut["output_ids"]) and stop not in service.codec.decode(cut["output_ids"][:-1])
    token = free["output_ids"][3]
    assert not set(service.codec.end_ids) & set(free["output_ids"][:4])
    stopped = generate(http, text=PROMPT, sampling_params={**sampling, "ignore_eos": False, "stop_token_ids": [token]}).json()
    first = free["output_ids"].index(token)
    assert stopped["meta_info"]["finish_reason"] == {"type": "stop", "matched": token}
    assert stopped["output_ids"] == free["output_ids"][: first + 1]
    assert stopped["text"] == service.codec.decode(free["output_ids"][:first])


def test_openais_client_completes(service: Service, client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"] and client.models.retrieve("tiny").id == "tiny"
    asked = {"model": "tiny", "prompt": PROMPT, "max_tokens": 14, "seed": 9, "n": 2, "temperature": 0.9}
    whole = client.completions.create(**asked, logprobs=1)
    request = Request(tuple(service.codec.encode(PROMPT)), Sampling(14, 0.9, service.codec.end_ids), 2, seed=9)
    for choice, drawn in zip(whole.choices, directly(service, request), strict=True):
        assert choice.text == service.codec.decode(drawn.token_ids) and choice.finish_reason == drawn.finish_reason
        assert choice.logprobs is not None and choice.logprobs.token_logprobs == pytest.approx(drawn.logprobs, abs=1e-5)
    assert whole.usage is not None and whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    texts, finishes, usages = ["", ""], [None, None], []
    for part in client.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
        for choice in part.choices:
            texts[choice.index] += choice.text
            finishes[choice.index] = choice.finish_reason
        usages.append(part.usage)
    assert texts == [choice.text for choice in whole.choices] and finishes == [choice.finish_reason for choice in whole.choices]
    assert usages[-1] == whole.usage and set(usages[:-1]) == {None}
    ids = [service.codec.encode(text) for text in ("by", "exact")]
    both = client.completions.create(model="tiny", prompt=ids, temperature=0)
    assert [choice.index for choice in both.choices] == [0, 1] and both.usage is not None and both.usage.completion_tokens <= 32


def test_openais_client_chats(service: Service, client: openai.OpenAI) -> None:
    messages: list = [{"role": "system", "content": "prove"}, {"role": "user", "content": [{"type": "text", "text": PROMPT}]}]
    asked = {"model": "tiny", "messages": messages, "max_completion_tokens": 16, "seed": 2, "stop": ["\n\n\n"]}
    whole = client.chat.completions.create(**asked, logprobs=True)
    (drawn,) = directly(
        service, Request(tuple(service.codec.encode(f"prove\n\n{PROMPT}")), Sampling(16, stop_ids=service.codec.end_ids), seed=2)
    )
    choice = whole.choices[0]
    assert (choice.message.role, choice.message.content) == ("assistant", service.codec.decode(drawn.token_ids))
    assert choice.logprobs is not None and choice.logprobs.content is not None
    assert [entry.logprob for entry in choice.logprobs.content] == pytest.approx(drawn.logprobs, abs=1e-5)
    parts = list(client.chat.completions.create(**asked, stream=True))
    assert parts[0].choices[0].delta.role == "assistant"
    assert "".join(part.choices[0].delta.content or "" for part in parts) == choice.message.content
    assert parts[-1].choices[0].finish_reason == choice.finish_reason


def test_a_chat_template_renders_as_the_published_ones_expect(service: Service) -> None:
    source = (
        "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}\n"
        "    {{- message.content + '<|im_end|>' + '\\n' }}\n{%- endfor %}\n"
        "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\\n' }}\n"
        "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think></think>' }}{%- endif %}\n"
        "{%- endif %}{{ eos_token }}"
    )
    template = ChatTemplate(source, {"eos_token": "<e>"})
    messages = [{"role": "user", "content": "α → β"}]
    assert template(messages) == "<|im_start|>user\nα → β<|im_end|>\n<|im_start|>assistant\n<e>"
    assert template(messages, enable_thinking=False).endswith("assistant\n<think></think><e>")
    with pytest.raises(ValueError, match="only users"):
        ChatTemplate("{{ raise_exception('only users') }}", {})(messages)
    with pytest.raises(ValueError, match="cannot be read"):
        ChatTemplate("{% if %}", {})
    with pytest.raises(ValueError, match="refuses"):  # the sandbox
        ChatTemplate("{{ messages.__class__.__base__.__subclasses__() }}", {})(messages)
    codec = dataclasses.replace(service.codec, template=template)
    assert codec.chat_prompt(messages, {}).startswith("<|im_start|>user")


@pytest.mark.parametrize(
    "address, body, status, word",
    [
        ("/generate", {"text": "h", "input_ids": [1]}, 400, "exactly one of text and input_ids"),
        ("/generate", {}, 400, "exactly one of text and input_ids"),
        ("/generate", {"input_ids": [1, [2]]}, 400, "mixes"),
        ("/generate", {"input_ids": [999]}, 400, "contains 999"),
        ("/generate", {"input_ids": []}, 400, "no tokens"),
        ("/generate", {"input_ids": [1] * 60, "sampling_params": {"max_new_tokens": 9}}, 400, "max_len 64"),
        ("/generate", {"text": "h", "sampling_params": {"temperature": -1}}, 400, "temperature"),
        ("/generate", {"text": "h", "sampling_params": {"regex": "a*"}}, 400, "regex"),
        ("/generate", {"text": "h", "sampling_params": {"frequency_penalty": 1}}, 400, "frequency_penalty"),
        ("/generate", {"text": "h", "sampling_params": {"n": 41}}, 400, "split"),
        ("/generate", {"text": "h", "sampling_params": {"n": 0}}, 400, "n is 0"),
        ("/generate", {"text": "h", "sampling_params": {"stop": [""]}}, 400, "stop"),
        ("/generate", {"text": ["h", "i"], "rid": ["a"]}, 400, "rid"),
        ("/generate", {"text": "x" * 100_001}, 413, "larger"),
        ("/v1/completions", {"prompt": "h", "model": "gpt"}, 404, "does not exist"),
        ("/v1/completions", {"prompt": ["h", 3]}, 400, "mixes"),
        ("/v1/completions", {"prompt": "h", "logit_bias": {}}, 400, "logit_bias"),
        ("/v1/chat/completions", {"messages": []}, 400, "at least one"),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "h"}], "tools": []}, 400, "tools"),
        ("/update_weights_from_disk", {"model_path": "/nowhere", "weight_version": "new"}, 400, "weight_version"),
        ("/pause_generation", {"mode": "in_place"}, 400, "abort"),
        ("/abort_request", {}, 400, "rid"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(http: httpx2.Client, address: str, body: dict, status: int, word: str) -> None:
    answer = http.post(address, json=body)
    assert answer.status_code == status
    assert word in answer.json()["error"]["message"] and "\n" not in answer.json()["error"]["message"]


def test_json_that_is_none_and_a_wrong_key_are_refused(http: httpx2.Client, url: str, client: openai.OpenAI) -> None:
    for body in (b"{", b'{"text": "\xff"}'):
        assert http.post("/generate", content=body, headers={"Content-Type": "application/json"}).status_code == 400
    for key in ({}, {"Authorization": "Bearer wrong"}):
        assert httpx2.post(f"{url}/generate", json={"text": "h"}, headers=key).status_code == 401
    assert httpx2.get(f"{url}/health").status_code == 200
    with pytest.raises(openai.AuthenticationError, match="Bearer"):
        client.with_options(api_key="wrong").models.list()
    with pytest.raises(openai.BadRequestError, match="messages is empty"):
        client.chat.completions.create(model="tiny", messages=[])


def test_a_full_queue_says_when_to_come_back(http: httpx2.Client, service: Service) -> None:
    service.active_samples += 55  # as if so many samples were being drawn
    try:
        answer = generate(http, text="h", sampling_params={"n": 6})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        assert generate(http, text="h", stream=True, sampling_params={"n": 6}).status_code == 429
        assert generate(http, text="h", sampling_params={"n": 5, "max_new_tokens": 1}).status_code == 200
    finally:
        service.active_samples -= 55
    assert service.active_samples == 0


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_who_hangs_up_is_withdrawn(http: httpx2.Client, service: Service) -> None:
    body = {"text": PROMPT, "sampling_params": {"max_new_tokens": 50, "n": 40, "ignore_eos": True}}
    began = service.engine.stats().generated_tokens
    with http.stream("POST", "/generate", json={**body, "stream": True}) as response:
        next(response.iter_lines())
    wait_for(lambda: service.active_samples == 0 and service.engine.stats().decoding == 0)
    assert service.engine.stats().generated_tokens - began < 40 * 50
    http.post("/pause_generation")
    with pytest.raises(httpx2.ReadTimeout):
        http.post("/generate", json=body, timeout=0.3)
    wait_for(lambda: service.active_samples == 0)
    http.post("/continue_generation")


def test_pause_aborts_what_is_under_way_and_lets_newcomers_wait(http: httpx2.Client, url: str, service: Service) -> None:
    async def scenario() -> tuple[list[dict], dict, dict]:
        async with httpx2.AsyncClient(base_url=url, headers={"Authorization": "Bearer secret"}, timeout=60) as client:

            async def ask(body: dict) -> dict:
                return (await client.post("/generate", json=body)).json()

            long = {"max_new_tokens": 55, "n": 40, "ignore_eos": True}
            running = asyncio.create_task(ask({"text": PROMPT, "sampling_params": long, "return_logprob": True}))
            await asyncio.to_thread(wait_for, lambda: service.engine.stats().decoding > 0)
            assert (await client.post("/pause_generation", json={})).json()["success"]
            aborted = await running
            waiting = asyncio.create_task(ask({"text": PROMPT, "rid": "w", "sampling_params": {"max_new_tokens": 2}}))
            await asyncio.sleep(0.2)
            assert not waiting.done() and (await client.get("/get_server_info")).json()["status"] == "paused"
            await client.post("/continue_generation", json={})
            answered = await waiting
            named = asyncio.create_task(ask({"text": PROMPT, "rid": "me", "sampling_params": {**long, "n": 20}}))
            await asyncio.to_thread(wait_for, lambda: service.engine.stats().decoding > 0)
            await client.post("/abort_request", json={"rid": "another"})
            await asyncio.sleep(0)
            await client.post("/abort_request", json={"rid": "me"})
            return aborted, answered, (await named)[-1]

    aborted, answered, named = asyncio.run(scenario())
    assert {answer["meta_info"]["finish_reason"]["type"] for answer in aborted} >= {"abort"}
    for answer in aborted:
        meta = answer["meta_info"]
        assert len(answer["output_ids"]) == len(meta["output_token_logprobs"]) == meta["completion_tokens"]
    assert answered["meta_info"]["finish_reason"]["type"] in ("length", "stop")
    assert named["meta_info"]["finish_reason"]["type"] == "abort"
    assert service.active_samples == 0


def test_weights_are_changed_from_disk_and_refused_ones_change_nothing(
    http: httpx2.Client, service: Service, model_folder: Path, other_folder: Path, mesh: jax.sharding.Mesh, tmp_path: Path
) -> None:
    greedy = {"text": PROMPT, "sampling_params": {"max_new_tokens": 9, "temperature": 0, "ignore_eos": True}}
    before = generate(http, **greedy).json()
    for folder, version in ((other_folder, "4"), (model_folder, 5)):
        expected = checksum(load_hf(folder, mesh)[1])
        answer = http.post("/update_weights_from_disk", json={"model_path": str(folder), "weight_version": version}).json()
        assert answer["success"] and answer["weights_checksum"] == expected
        info = http.get("/get_model_info").json()
        assert (info["weight_version"], info["weights_checksum"], info["model_path"]) == (str(version), expected, str(folder))
        assert http.get("/get_weight_version").json() == http.get("/weight_version").json() == {"weight_version": str(version)}
        after = generate(http, **greedy).json()
        assert after["meta_info"]["weight_version"] == str(version)
        assert (after["output_ids"] == before["output_ids"]) == (folder == model_folder)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_bytes((model_folder / "config.json").read_bytes())
    for folder in (broken, tmp_path / "nowhere"):
        refused = http.post("/update_weights_from_disk", json={"model_path": str(folder)})
        assert refused.status_code == 400 and not refused.json()["success"] and str(folder) in refused.json()["message"]
    assert http.get("/model_info").json()["weight_version"] == "5"
    assert generate(http, **greedy).json()["output_ids"] == before["output_ids"]


def test_health_metrics_and_the_page_that_explains_it(http: httpx2.Client) -> None:
    assert http.get("/health_generate").status_code == 200
    assert http.post("/flush_cache").json()["success"]
    metrics = http.get("/metrics").text
    assert 'oprover_samples_total{finish="length"}' in metrics and "oprover_generated_tokens_total" in metrics
    described = http.get("/openapi.json").json()
    assert "input_ids" in described["components"]["schemas"]["GenerateRequest"]["properties"]
    assert {"/generate", "/v1/chat/completions", "/update_weights_from_disk"} <= described["paths"].keys()


def test_the_command_serves_with_a_key_and_ends_cleanly(model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k3y\n")
    words = ("--slots", "2", "--max-len", "64", "--api-key-file", str(tmp_path / "key"), "--log", "json")
    server = rollout_server.command(model_folder, *words)
    try:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key="k3y") as client:
            answer = client.completions.create(model="tiny", prompt=TEXT[:9], max_tokens=3)
        assert answer.usage is not None and answer.usage.completion_tokens <= 3
        assert server.stop() == 0 and server.process.stdout is not None
        written = server.process.stdout.read()
        [logged] = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
        assert (logged["method"], logged["path"], logged["status"]) == ("POST", "/v1/completions", 200) and "k3y" not in written
    finally:
        server.process.kill()
        server.process.communicate()
