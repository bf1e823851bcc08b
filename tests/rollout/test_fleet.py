"""Servers given by URL serve what was published, or receive no request: stand-ins play restarts, real servers are killed in mid-rollout."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jax
import pytest
import rollout_server
from scripted_server import Scripted
from tiny_model import CONFIG, tiny_params

from oprover_jax.data.codec import load_codec
from oprover_jax.errors import InputError
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import Params
from oprover_jax.rollout.engine import Completion, Engine, EngineError, Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.publish import publish_to_servers
from oprover_jax.rollout.sglang_engine import SGLangEngine, open_engine
from oprover_jax.rollout.versions import PublishedWeights
from oprover_jax.server.service import Service
from oprover_jax.server.settings import ServerSettings

OPTIONS = ("--slots", "4", "--max-len", "64", "--name", "tiny")
REQUESTS = [
    Request(tuple(range(3, 6 + n)), Sampling(24 + n, 0.9, (1, 7), top_p=0.9, top_k=30), num_samples=1 + n % 3, seed=n) for n in range(6)
]


async def all_of(engine: Engine, requests: Sequence[Request]) -> list[list[Completion]]:
    return await asyncio.wait_for(asyncio.gather(*(engine.generate(request) for request in requests)), 300)


def ask(engine: Engine, requests: Sequence[Request] = REQUESTS) -> list[list[Completion]]:
    return asyncio.run(all_of(engine, requests))


def tokens(groups: list[list[Completion]]) -> list[list[tuple[tuple[int, ...], str]]]:
    return [[(done.token_ids, done.finish_reason) for done in group] for group in groups]


def versions(groups: list[list[Completion]]) -> set[int]:
    return {done.policy_version for group in groups for done in group}


class StandIn:
    """Plays SGLang: it starts with weights "default", loads what it is told, and restarts when `restart` says so of the n-th request."""

    def __init__(self, restart: Callable[[int], bool] = lambda count: False) -> None:
        self.version, self.count, self.loaded, self._restart = "default", 0, 0, restart

    def serving(self, port: int = 0) -> Scripted:
        return Scripted(self.answer, port)

    def answer(self, path: str, body: dict) -> tuple[int, object]:
        if path == "/update_weights_from_disk":
            self.version, self.loaded = body["weight_version"], self.loaded + 1
            return 200, {"success": True, "message": "Succeeded to update model weights."}
        if path == "/model_info":
            return 200, {"model_path": "m", "weight_version": self.version}
        if path != "/generate":
            return 200, {}
        self.count += 1
        if self._restart(self.count):
            self.version = "default"
        meta = {"finish_reason": {"type": "length"}, "completion_tokens": 1, "weight_version": self.version}
        return 200, {"text": "", "meta_info": meta | {"output_token_logprobs": [[-0.5, self.count, None]]}}


ONE = [Request((1, 2), Sampling(1)) for _ in range(9)]


def test_a_restarted_server_has_not_the_published_version_and_gets_it_before_it_is_asked_again() -> None:
    stand_in = StandIn(restart=lambda count: count == 4)
    with stand_in.serving() as server, open_engine([server.url], PublishedWeights(Path("/v"), 7, "sum")) as engine:
        assert stand_in.loaded == 1
        drawn = ask(engine, ONE)
        assert versions(drawn) == {7} and stand_in.loaded == 2
        assert 4 not in {group[0].token_ids[0] for group in drawn}, "the completion of the weights of its start was returned"


def test_without_published_weights_a_start_is_nobodys_version() -> None:
    stand_in = StandIn()
    with stand_in.serving() as server, open_engine([server.url]) as engine:
        assert versions(ask(engine, ONE)) == {0} and stand_in.loaded == 0


def test_one_404_is_not_the_end() -> None:
    """`/get_model_info` is deprecated in SGLang, and a router may offer neither address."""
    stand_in = StandIn()
    lost = {"/model_info", "/get_model_info"}

    def answer(path: str, body: dict) -> tuple[int, object]:
        if path in lost:
            lost.remove(path)
            return 404, {"detail": "Not Found"}
        return stand_in.answer(path, body)

    with Scripted(answer) as server, open_engine([server.url], PublishedWeights(Path("/v"), 7, "sum")) as engine:
        assert not lost and versions(ask(engine, ONE)) == {7}
    lost |= {"/model_info", "/get_model_info"}
    with Scripted(answer) as server, open_engine([server.url]) as engine:
        assert versions(ask(engine, ONE)) == {7} and not lost


def test_a_server_that_is_away_holds_up_nobody_and_is_brought_up_to_date_when_it_is_back() -> None:
    here, back = StandIn(), StandIn()
    port = rollout_server.free_port()
    urls = [f"http://127.0.0.1:{port}"]
    with here.serving() as server, open_engine([*urls, server.url], PublishedWeights(Path("/v"), 7, "sum"), patience=30.0) as engine:
        assert server.paths.count("/pause_generation") == server.paths.count("/continue_generation") == 1
        assert versions(ask(engine, ONE)) == {7} and here.count == len(ONE)
        with back.serving(port):

            async def until_it_is_asked() -> list[list[Completion]]:
                drawn: list[list[Completion]] = []
                while not back.count:
                    drawn += await all_of(engine, ONE)
                return drawn

            assert versions(asyncio.run(asyncio.wait_for(until_it_is_asked(), 60))) == {7}
            assert back.loaded == 1


def test_nobody_there_is_one_sentence_that_names_the_servers() -> None:
    urls = [f"http://127.0.0.1:{rollout_server.free_port()}" for _ in range(2)]
    with open_engine(urls, patience=0.5) as engine, pytest.raises(EngineError, match="no server answered within") as caught:
        ask(engine, ONE[:1])
    assert all(url in str(caught.value) for url in urls) and "\n" not in str(caught.value)
    with pytest.raises(EngineError, match="version 7 is on no server"):
        open_engine(urls, PublishedWeights(Path("/v"), 7, "sum"), patience=0.5)


@pytest.mark.parametrize(
    "urls, word", [((), "empty"), (("localhost:30000",), "not an HTTP address"), (("http://a:1", "http://a:1/"), "given twice")]
)
def test_addresses_are_checked_before_anything_is_asked(urls: tuple[str, ...], word: str) -> None:
    with pytest.raises(InputError, match=word):
        open_engine(urls)


def test_equal_samples_are_refused_before_any_is_drawn() -> None:
    with pytest.raises(ValueError, match="temperature is 0"):
        Request((1, 2), Sampling(1, temperature=0.0), num_samples=2)


@pytest.fixture(scope="module")
def policies(mesh: jax.sharding.Mesh) -> list[Params]:
    return [tiny_params(CONFIG, mesh, seed=seed) for seed in (5, 6)]


@pytest.fixture(scope="module")
def expected(policies: list[Params], mesh: jax.sharding.Mesh) -> list[list[list[Completion]]]:
    """What the in-process engine draws with each policy."""
    drawn = []
    for params in policies:
        with JaxEngine(CONFIG, params, mesh, slots=8, max_len=64) as engine:
            drawn.append(ask(engine))
    assert tokens(drawn[0]) != tokens(drawn[1])
    return drawn


@pytest.mark.slow
@pytest.mark.multiprocess
def test_rollouts_over_urls_are_those_in_process_whatever_is_killed(
    model_folder: Path, policies: list[Params], expected: list[list[list[Completion]]], tmp_path: Path
) -> None:
    """Publish, draw, publish, draw; then kill -9 of a server in mid-rollout, which comes back on the weights of its start."""
    ports = [rollout_server.free_port() for _ in range(2)]
    running = [rollout_server.command(model_folder, *OPTIONS, port=port) for port in ports]
    urls = [server.url for server in running]

    def publish(engine: SGLangEngine, number: int, version: int) -> PublishedWeights:
        return publish_to_servers(engine, CONFIG, policies[number], version, tmp_path, dtype="float32")

    async def rollout_with_a_kill(engine: SGLangEngine) -> list[list[Completion]]:
        tasks = [asyncio.create_task(engine.generate(request)) for request in REQUESTS * 10]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        running[0].process.kill()
        running[0].process.wait()
        assert sum(task.done() for task in tasks) < len(tasks)
        running.append(await asyncio.to_thread(rollout_server.command, model_folder, *OPTIONS, port=ports[0]))
        return await asyncio.wait_for(asyncio.gather(*tasks), 300)

    try:
        with open_engine(urls, connections=6, patience=120.0) as engine:
            for number, version in ((0, 3), (1, 4)):
                publish(engine, number, version)
                drawn = ask(engine, REQUESTS * 4)
                assert tokens(drawn) == tokens(expected[number] * 4) and versions(drawn) == {version}
            drawn = asyncio.run(rollout_with_a_kill(engine))
            assert tokens(drawn) == tokens(expected[1] * 10) and versions(drawn) == {4}
            running[1].process.kill()  # only the one that was restarted is left
            drawn = ask(engine)
            assert tokens(drawn) == tokens(expected[1]) and versions(drawn) == {4}
            publish(engine, 0, 5)
            drawn = ask(engine)
            assert tokens(drawn) == tokens(expected[0]) and versions(drawn) == {5}
    finally:
        for server in running:
            server.process.kill()
            server.process.communicate()


@pytest.fixture(scope="module")
def service(model_folder: Path, mesh: jax.sharding.Mesh) -> Iterator[Service]:
    config, params = load_hf(model_folder, mesh)
    with JaxEngine(config, params, mesh, slots=4, max_len=64) as engine:
        yield Service(engine, load_codec(model_folder), ServerSettings("tiny"), model_folder)


@pytest.mark.slow
def test_a_server_that_a_killed_trainer_left_paused_goes_on(
    service: Service, policies: list[Params], expected: list[list[list[Completion]]], tmp_path: Path
) -> None:
    with rollout_server.thread(service) as url:
        with open_engine([url]) as engine:
            weights = publish_to_servers(engine, CONFIG, policies[0], 8, tmp_path, dtype="float32")
        service._open.clear()
        with open_engine([url], weights) as engine:
            assert tokens(ask(engine)) == tokens(expected[0])


@pytest.mark.slow
def test_requests_in_progress_are_drawn_again_by_the_new_weights(
    service: Service, policies: list[Params], expected: list[list[list[Completion]]], tmp_path: Path
) -> None:
    async def published_meanwhile(engine: SGLangEngine) -> list[list[Completion]]:
        tasks = [asyncio.create_task(engine.generate(request)) for request in REQUESTS * 4]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        early = [done for done in tasks if done.done()]
        await asyncio.to_thread(publish_to_servers, engine, CONFIG, policies[1], 12, tmp_path, dtype="float32")
        late = [task for task in tasks if task not in early]
        assert late
        await asyncio.wait_for(asyncio.gather(*tasks), 300)
        return [task.result() for task in tasks]

    with rollout_server.thread(service) as url, open_engine([url]) as engine:
        publish_to_servers(engine, CONFIG, policies[0], 11, tmp_path, dtype="float32")
        drawn = asyncio.run(published_meanwhile(engine))
        assert versions(drawn) == {11, 12}
        for group, before, after in zip(drawn, expected[0] * 4, expected[1] * 4, strict=True):
            wanted = {11: before, 12: after}[group[0].policy_version]
            assert tokens([group]) == tokens([wanted])
