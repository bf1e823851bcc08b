"""One configuration for every Lean: what contradicts itself is one sentence, and what it selects is what answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import serving

from lean_worker.backends import make_backend, misjudgement
from lean_worker.connect import open_lean, require_tier
from lean_worker.errors import LeanWorkerError
from lean_worker.lean_config import LeanConfig
from lean_worker.pool import Pool
from lean_worker.protocol import Check, LeanDescription
from lean_worker.service.settings import ServiceSettings

GOOD = Check("good", "theorem good (p : Prop) (h : p) : p := by sorry", "h")
PROJECT = Path("/somewhere")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"backend": "remote"}, "http://HOST:PORT"),
        ({"backend": "remote", "urls": ("localhost:8000",)}, "'localhost:8000' is not the address"),
        ({"backend": "remote", "urls": ("http://a:x",)}, "'http://a:x' is not the address"),
        ({"backend": "remote", "urls": ("http://a", "http://a/")}, "twice"),
        ({"backend": "remote", "urls": ("http://a",), "heartbeats": 10_000}, "heartbeats: .*lean-worker serve"),
        ({"backend": "remote", "urls": ("http://a",), "cache": PROJECT}, "cache: .*lean-worker serve"),
        ({"urls": ("http://a",)}, "choose backend remote"),
        ({"project": PROJECT}, "choose backend language-server"),
        ({"backend": "embedded-server", "imports": ("Mathlib",)}, "choose backend language-server"),
        ({"backend": "repl", "project": PROJECT}, "needs project .* and repl"),
        ({"backend": "language-server", "repl": PROJECT}, "choose backend repl"),
        ({"workers": 0}, "workers is 0"),
        ({"connections": 0}, "connections is 0"),
        ({"timeout": 0.0}, "timeout is 0"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"heartbeats": 3}, "heartbeats is 3"),
        ({"memory_gib": 1.0}, "memory"),
        ({"sandbox": "none", "require_sandbox": True}, "sandbox is none"),
    ],
)
def test_what_contradicts_itself_is_one_sentence(given: dict[str, Any], said: str) -> None:
    with pytest.raises(LeanWorkerError, match=said) as caught:
        LeanConfig(**given)
    assert "\n" not in str(caught.value)


def test_limits_default_by_backend() -> None:
    assert (LeanConfig().limits.heartbeats, LeanConfig().limits.seconds) == (20_000, 10.0)
    installed = LeanConfig("language-server", project=PROJECT)
    assert (installed.limits.heartbeats, installed.limits.seconds) == (200_000, 60.0)
    assert LeanConfig("language-server", heartbeats=400_000, timeout=5).limits.heartbeats == 400_000


def test_options_change_what_is_stored_and_another_backend_replaces_it() -> None:
    stored = LeanConfig("language-server", project=PROJECT, imports=("Mathlib",), workers=4)
    assert LeanConfig().over(stored) == stored
    assert LeanConfig(workers=8, heartbeats=400_000).over(stored) == LeanConfig(
        "language-server", project=PROJECT, imports=("Mathlib",), workers=8, heartbeats=400_000
    )
    remote = LeanConfig("remote", urls=("http://a",))
    assert remote.over(stored) == remote


def test_the_identity_leaves_out_where_and_how_fast() -> None:
    here, there = LeanConfig("embedded-fork", workers=1), LeanConfig("embedded-server", workers=9, connections=3, cache=PROJECT)
    assert here.identity == there.identity
    assert LeanConfig("remote", urls=("http://a",)).identity == LeanConfig("remote", urls=("http://b", "http://c")).identity
    for other in (LeanConfig(heartbeats=10_000), LeanConfig(tier="fast"), LeanConfig("language-server", imports=("Mathlib",))):
        assert other.identity != here.identity


@pytest.fixture(scope="module")
def remote(pool: Pool) -> Iterator[LeanConfig]:
    with serving.thread(pool, ServiceSettings("a-key")) as url:
        yield LeanConfig("remote", urls=(url,))


@pytest.mark.lean
@pytest.mark.multiprocess
def test_every_lean_of_this_machine_opens_alike(remote: LeanConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_text("a-key\n")
    monkeypatch.delenv("LEAN_WORKER_KEY", raising=False)
    configs = [
        LeanConfig(workers=1, cache=tmp_path / "verdicts.sqlite"),
        LeanConfig("embedded-server", workers=1),
        LeanConfig("remote", urls=remote.urls, key_file=key),
    ]
    statements = ["theorem t : 1 + 1 = 2 := by sorry", "theorem t : nowhere := by sorry", "theorem t : Nat := by sorry"]
    leans = set()
    for config in configs:
        with open_lean(config, name="test") as pool:
            assert misjudgement(pool) is None
            assert [verdict.kind for verdict in pool.check_many([GOOD, Check("w", GOOD.statement, "by decide")])] == ["accepted", "error"]
            assert [report.elaborates for report in pool.check_statements(statements)] == [True, False, False]
            assert pool.check_statement(statements[1]).messages[0].text.startswith("Unknown identifier")
            assert pool.status().workers >= 1 and pool.status().verdicts["accepted"] >= 1
            require_tier(pool, config)
            leans.add((pool.describe().lean, pool.describe().library, pool.describe().imports))
    assert len(leans) == 1


@pytest.mark.lean
def test_limits_reach_the_pool() -> None:
    runaway = Check("runaway", "theorem t (h : ∀ p : Prop, p → p) : False := by sorry", "by repeat apply h")
    with open_lean(LeanConfig(workers=1, heartbeats=700)) as pool:
        assert pool.describe().heartbeats == 700
        assert "maximum number of heartbeats (700)" in pool.submit(runaway).result().messages[0].text


def test_a_remote_lean_is_none_of_this_machine(tmp_path: Path) -> None:
    config = LeanConfig("remote", urls=("http://127.0.0.1:9",))
    with pytest.raises(LeanWorkerError, match="runs no Lean on this machine"):
        make_backend(config)
    with open_lean(config) as pool, pytest.raises(LeanWorkerError, match=r"no Lean service answers .*ConnectError"):
        _ = pool.describe()


@pytest.mark.lean
def test_a_tier_that_is_missing_is_said_before_work_begins(pool: Pool) -> None:
    class OneTier:
        def describe(self) -> LeanDescription:
            return msgspec.structs.replace(pool.describe(), tiers=("fast",), backend="language-server")

    with pytest.raises(LeanWorkerError, match=r"language-server has no slow tier.* set tier to fast"):
        require_tier(OneTier(), LeanConfig("language-server"))  # type: ignore[arg-type]
    require_tier(OneTier(), LeanConfig("language-server", tier="fast"))  # type: ignore[arg-type]
