import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rollout_server
from flax import traverse_util
from scripted_server import Scripted
from tiny_model import CONFIG, tiny_params

from oprover_jax.data.codec import load_codec
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import Params, abstract_params
from oprover_jax.rollout.checksum import checksum
from oprover_jax.rollout.engine import Completion, EngineError, Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.publish import publish_in_place, publish_to_servers
from oprover_jax.rollout.server_http import PublishError
from oprover_jax.rollout.sglang_engine import SGLangEngine, open_engine
from oprover_jax.server.service import Service
from oprover_jax.server.settings import ServerSettings
from oprover_jax.sharding import MeshConfig, make_mesh

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fresh(mesh: jax.sharding.Mesh) -> Params:
    return tiny_params(CONFIG, mesh, seed=5)


@pytest.fixture(scope="module")
def service(model_folder: Path, mesh: jax.sharding.Mesh) -> Iterator[Service]:
    config, params = load_hf(model_folder, mesh)
    with JaxEngine(config, params, mesh, slots=2, max_len=32, prefill_batches=(1,)) as engine:
        yield Service(engine, load_codec(model_folder), ServerSettings("tiny", key="k"), model_folder)


def test_the_checksum_sees_every_bit_and_place_but_not_the_mesh(fresh: Params, mesh: jax.sharding.Mesh) -> None:
    whole = checksum(fresh)
    on = make_mesh(MeshConfig(fsdp=2, tensor=2))
    assert checksum(jax.tree.map(lambda x, like: jax.device_put(x, like.sharding), fresh, abstract_params(CONFIG, on))) == whole

    def changed(path: tuple[str, ...], change: Callable[[np.ndarray], object]) -> Params:
        held = traverse_util.flatten_dict(jax.tree.map(np.array, fresh))
        held[path] = np.asarray(change(held[path]))
        return jax.tree.map(
            lambda x, like: jax.device_put(x, like.sharding), traverse_util.unflatten_dict(held), abstract_params(CONFIG, mesh)
        )

    order = [0, 2, 1, *range(3, CONFIG.vocab_size)]
    others = {
        "one bit": changed(("final_norm", "scale"), lambda x: np.where(np.arange(x.size) == 3, np.nextafter(x, np.float32(9)), x)),
        "rows swapped": changed(("embedding",), lambda x: x[order]),
        "columns rolled": changed(("embedding",), lambda x: np.roll(x, 1, axis=1)),
        "layers swapped": changed(("layers", "mlp", "gate"), lambda x: x[::-1]),
    }
    rounded = jax.tree.map(lambda x: x.astype(jnp.bfloat16).astype(jnp.float32), fresh)
    sums = {name: checksum(params) for name, params in others.items()}
    assert len({whole, *sums.values()}) == 1 + len(others), sums
    assert checksum(rounded) == checksum(fresh, "bfloat16") != whole


def test_in_place(service: Service, fresh: Params) -> None:
    publish_in_place(service.engine, fresh, 3)
    assert service.engine.version == 3 and checksum(service.engine.params) == checksum(fresh)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_our_server_loads_what_was_published_and_goes_on(service: Service, fresh: Params, dtype: str, tmp_path: Path) -> None:
    with rollout_server.thread(service) as url, open_engine([url], key="k") as engine:
        for version in (6, 7, 8):
            weights = publish_to_servers(engine, CONFIG, fresh, version, tmp_path, dtype=dtype)
            assert service.engine.version == version == engine.version == weights.version
    assert sorted(path.name for path in tmp_path.iterdir()) == ["version-000007", "version-000008"]
    assert checksum(service.engine.params) == checksum(fresh, dtype) == weights.checksum
    assert not service.paused


def test_a_server_that_cannot_take_the_weights_is_named_and_resumed(service: Service, fresh: Params, tmp_path: Path) -> None:
    with rollout_server.thread(service) as url:
        with open_engine([url], key="wrong") as engine, pytest.raises(PublishError, match=f"{url}.*401"):
            publish_to_servers(engine, CONFIG, fresh, 9, tmp_path)
        wrong = dataclasses.replace(CONFIG, intermediate_size=2 * CONFIG.intermediate_size)
        larger = tiny_params(wrong, make_mesh(MeshConfig(), jax.devices()[:1]), seed=0)
        with open_engine([url], key="k") as engine:
            with pytest.raises(PublishError, match="intermediate_size"):
                publish_to_servers(engine, wrong, larger, 10, tmp_path / "larger")
            assert not service.paused and service.engine.version < 9
            with pytest.raises(EngineError, match=f"{url}.*intermediate_size"):  # it serves, but not what was published
                ask(engine)
            publish_to_servers(engine, CONFIG, fresh, 11, tmp_path)
            assert not service.paused and service.engine.version == 11
            assert ask(engine)[0].policy_version == 11


def ask(engine: SGLangEngine) -> list[Completion]:
    return asyncio.run(engine.generate(Request((1, 2, 3), Sampling(2))))


@pytest.mark.parametrize(
    "updated, info, word",
    [
        (
            (200, {"success": False, "message": "Weights were updated, but the cache was not flushed"}),
            {"weight_version": "3"},
            "not flushed",
        ),
        ((400, {"success": False, "message": "no such folder"}), {}, "no such folder"),
        ((200, {"success": True, "message": "ok"}), {"weight_version": "default"}, "default"),
        ((200, {"success": True, "message": "ok"}), {"weight_version": "4", "weights_checksum": "00"}, "checksum 00"),
    ],
)
def test_what_a_server_says_is_not_taken_for_success(
    updated: tuple[int, dict], info: dict, word: str, fresh: Params, tmp_path: Path
) -> None:
    """The shapes that SGLang documents, played without a model."""
    with Scripted(
        lambda path, body: updated if path == "/update_weights_from_disk" else (200, info if path == "/model_info" else {})
    ) as other:
        with open_engine([other.url]) as engine, pytest.raises(PublishError, match=word):
            publish_to_servers(engine, CONFIG, fresh, 4, tmp_path)
        assert other.paths.index("/continue_generation") > other.paths.index("/update_weights_from_disk")


def test_sglangs_documented_answers_are_success(fresh: Params, tmp_path: Path) -> None:
    loaded: list[str] = []

    def script(path: str, body: object) -> tuple[int, object]:
        if path == "/update_weights_from_disk":
            assert isinstance(body, dict) and (Path(body["model_path"]) / "model.safetensors").is_file()
            loaded.append(body["weight_version"])
            return 200, {"success": True, "message": "Succeeded to update model weights.", "num_paused_requests": 0}
        return 200, {"model_path": "m", "weight_version": loaded[-1] if loaded else "default"} if path == "/model_info" else {}

    with Scripted(script) as other, open_engine([other.url]) as engine:
        publish_to_servers(engine, CONFIG, fresh, 4, tmp_path)
        assert other.paths == ["/model_info", "/pause_generation", "/update_weights_from_disk", "/continue_generation", "/model_info"]
        assert other.bodies[1] == {"mode": "abort"} and loaded == ["4"]


def test_a_server_without_the_route_is_restarted_or_refused(fresh: Params, tmp_path: Path) -> None:
    """As SGL-JAX is: it reports the folder of its weights, and no version."""
    running = ["other"]

    def script(path: str, body: object) -> tuple[int, object]:
        return (200, {"model_path": running[-1]}) if path == "/get_model_info" else (404, {"detail": "Not Found"})

    with Scripted(script) as other:
        with open_engine([other.url]) as engine, pytest.raises(PublishError, match="no restart function"):
            publish_to_servers(engine, CONFIG, fresh, 4, tmp_path)
        with open_engine([other.url], restart=lambda url, folder: running.append(str(folder))) as engine:
            publish_to_servers(engine, CONFIG, fresh, 5, tmp_path)
            assert running == ["other", str(tmp_path / "version-000005")]
        with open_engine([other.url], restart=lambda url, folder: print(1 / 0)) as engine, pytest.raises(PublishError, match="division"):
            publish_to_servers(engine, CONFIG, fresh, 6, tmp_path)
