"""The remote pool: what `Pool` answers, over HTTP, and None where the service cannot be reached, never a rejection."""

import asyncio
import http.server
import json
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager

import pytest
import serving
from watching import until

from lean_worker.client import RemotePool, RemoteRefused
from lean_worker.errors import LeanWorkerError
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.service.settings import ServiceSettings
from lean_worker.service.wire import VerifyRequest
from oprover_jax.records import Statement
from oprover_jax.verify.verifier import Verifier, Workers

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

GOOD = Check("good", "theorem good (p : Prop) (h : p) : p := by sorry", "h")
HANG = Check("hang", "theorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by sorry", "by decide +kernel")


def sums(count: int, name: str = "s") -> list[Check]:
    """Checks of which every fifth is wrong."""
    statement = "theorem {0}{1} : {1} + {1} = {2} := by sorry"
    return [Check(f"{name}{i}", statement.format(name, i, 2 * i + (i % 5 == 0)), "by decide") for i in range(count)]


def assert_sums(kinds: list[str]) -> None:
    assert kinds == ["error" if i % 5 == 0 else "accepted" for i in range(len(kinds))]


@pytest.fixture(scope="module")
def url(pool: Pool) -> Iterator[str]:
    with serving.thread(pool, ServiceSettings("a-key")) as address:
        yield address


def test_the_same_verdicts_as_without_http(pool: Pool, url: str) -> None:
    checks = [
        GOOD,
        Check("wrong", "theorem t : 1 = 2 := by sorry", "rfl"),
        Check("forbidden", GOOD.statement, "by sorry"),
        Check("statement", "theorem t : nowhere := by sorry", "trivial"),
        Check("header", "theorem t : x = 1 := by sorry", "rfl", "def x : Nat := 1"),
        Check("helped", GOOD.statement, "theorem a : True := trivial\ntheorem good (p : Prop) (h : p) : p := h", helpers=True),
        Check("twice", GOOD.statement, "by exact h", tier="slow"),
        Check("∀ ∃", "theorem «a b» (α : Type) (x : α) : ∃ y : α, y = x := by sorry", "⟨x, rfl⟩"),
    ]
    with RemotePool(url, "a-key", name="me") as remote:
        there = [remote.submit(check).result(timeout=60) for check in checks]
    here = pool.check_many(checks)
    assert set(VerifyRequest.__struct_fields__) == set(Check.__struct_fields__)
    assert [v.kind for v in here[-3:]] == ["accepted"] * 3
    assert [(v.id, v.kind, v.messages, v.axioms, v.backend, v.lean, v.library, v.tier) for v in there] == [
        (v.id, v.kind, v.messages, v.axioms, v.backend, v.lean, v.library, v.tier) for v in here
    ]


def test_the_verifier_takes_it_for_a_pool(url: str) -> None:
    with RemotePool(url, "a-key") as remote:
        assert isinstance(remote, Workers)
        statement = Statement("a", "good", GOOD.statement)
        verdicts = asyncio.run(Verifier(remote).verify_many([(statement, "h"), (statement, "by decide"), (statement, "h")]))
    assert [verdict.kind for verdict in verdicts] == ["accepted", "error", "accepted"]


def test_it_survives_a_service_that_is_killed_and_started_again() -> None:
    port = serving.free_port()
    checks = sums(300)
    with RemotePool(f"http://127.0.0.1:{port}", connections=16, patience=300) as remote:
        futures = [remote.submit(check) for check in checks]  # nobody listens yet
        for _ in range(2):
            done = sum(future.done() for future in futures)
            with serving.command(port=port) as service:
                while sum(future.done() for future in futures) < done + 50:
                    time.sleep(0.01)
                service.stop(signal.SIGKILL)
        assert not all(future.done() for future in futures)
        with serving.command(port=port):
            verdicts = [future.result(timeout=300) for future in futures]
    assert [verdict.id for verdict in verdicts] == [check.id for check in checks]
    assert_sums([verdict.kind for verdict in verdicts])


def test_a_full_queue_is_waited_for() -> None:
    with Pool(1, batch=1, queue_limit=1) as pool, serving.thread(pool) as address, RemotePool(address, patience=600) as remote:
        verdicts = [future.result(timeout=300) for future in [remote.submit(check) for check in sums(12)]]
    assert_sums([verdict.kind for verdict in verdicts])


def test_nobody_there_is_no_verdict() -> None:
    with RemotePool(f"http://127.0.0.1:{serving.free_port()}", patience=0.3) as remote:
        verdict = remote.submit(GOOD).result(timeout=60)
    assert (verdict.id, verdict.accepted, verdict.kind) == ("good", None, "unavailable")
    assert "ConnectError" in verdict.messages[0].text


def test_a_wrong_key_is_an_error_and_not_a_verdict(url: str) -> None:
    with RemotePool(url, "another") as remote, pytest.raises(RemoteRefused, match="401"):
        remote.submit(GOOD).result(timeout=60)


def test_what_the_service_does_not_take_is_no_verdict(pool: Pool) -> None:
    with serving.thread(pool, ServiceSettings(max_body_bytes=1000)) as address, RemotePool(address) as remote:
        verdict = remote.submit(Check("long", GOOD.statement, "h" * 2000)).result(timeout=60)
        assert (verdict.accepted, verdict.kind) == (None, "unreadable")
        assert remote.submit(GOOD).result(timeout=60).accepted is True


ANSWER = {"id": "good", "messages": [], "axioms": [], "seconds": 0.1, "backend": "b", "lean": "4", "library": "l", "tier": "fast"}


@contextmanager
def impostor(status: int, body: bytes) -> Iterator[str]:
    """A server that always says the same."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"hello"),
        (200, b"{}"),
        (200, json.dumps({**ANSWER, "verdict": "accepted", "kind": "error"}).encode()),
        (200, json.dumps({**ANSWER, "verdict": "rejected", "kind": "timeout"}).encode()),
        (200, json.dumps({**ANSWER, "verdict": "rejected", "kind": "error", "id": "another"}).encode()),
        (500, json.dumps({**ANSWER, "verdict": "rejected", "kind": "error"}).encode()),
        (503, b""),
    ],
)
def test_an_answer_that_is_none_is_no_verdict(status: int, body: bytes) -> None:
    with impostor(status, body) as address, RemotePool(address, patience=0.2) as remote:
        verdict = remote.submit(GOOD).result(timeout=60)
    assert (verdict.accepted, verdict.kind) == (None, "unavailable")


def test_closing_cancels_and_the_service_withdraws() -> None:
    with Pool(1, timeout=3.0) as pool, serving.thread(pool) as address:
        remote = RemotePool(address)
        hanging = remote.submit(HANG)
        until(lambda: pool.status().running == 1, 60.0)
        waiting = remote.submit(GOOD)
        until(lambda: pool.status().waiting == 1, 60.0)
        remote.close()
        remote.close()
        for future in (hanging, waiting):
            with pytest.raises(CancelledError):
                future.result(timeout=60)
        with pytest.raises(RuntimeError, match="closed"):
            remote.submit(GOOD)
        until(lambda: pool.status().waiting == 0, 60.0)
        assert "accepted" not in pool.status().verdicts


def test_the_same_answers_as_the_local_pool_at_its_limits(pool: Pool, url: str) -> None:
    checks = [
        Check("long proof", GOOD.statement, "h" * 130_000),
        Check("long statement", GOOD.statement.replace("good", "g" * 70_000), "h"),
        Check("torn proof", GOOD.statement, "h \ud800"),
        Check("torn statement", GOOD.statement.replace("good", "\ud800"), "h"),
        Check("empty", GOOD.statement, ""),
    ]
    with RemotePool(url, "a-key") as remote:
        there = remote.check_many(checks)
    here = pool.check_many(checks)
    assert [(v.kind, v.accepted, v.messages) for v in there] == [(v.kind, v.accepted, v.messages) for v in here]
    assert [v.kind for v in here] == ["unreadable", "unreadable", "forbidden", "statement", "forbidden"]


def test_checks_go_to_the_service_with_the_fewest() -> None:
    with Pool(1) as one, Pool(1) as two, serving.thread(one) as first, serving.thread(two) as second:
        with RemotePool([first, second], connections=2) as remote:
            assert_sums([verdict.kind for verdict in remote.check_many(sums(60))])
            assert remote.describe() == one.describe()
            assert remote.status().workers == 2 and remote.status().verdicts == {"accepted": 48, "error": 12}
        assert all(pool.status().verdicts["accepted"] > 10 for pool in (one, two))


def test_a_service_that_fails_costs_no_answer_while_another_is_there(pool: Pool) -> None:
    gone = f"http://127.0.0.1:{serving.free_port()}"
    with impostor(503, b"") as broken, serving.thread(pool) as well, RemotePool([gone, broken, well], patience=20) as remote:
        assert_sums([verdict.kind for verdict in remote.check_many(sums(60))])
        assert remote.describe() == pool.describe()  # of the one that answers


def test_without_retry_each_service_is_asked_once_and_nothing_waits(pool: Pool) -> None:
    gone = [f"http://127.0.0.1:{serving.free_port()}" for _ in range(2)]
    with RemotePool(gone, patience=1e9) as remote:
        assert remote.submit(GOOD, retry=False).result(timeout=60).kind == "unavailable"
    with serving.thread(pool) as well, RemotePool([*gone, well], patience=0.0) as remote:
        assert [remote.submit(GOOD, retry=False).result(timeout=60).kind for _ in range(8)] == ["accepted"] * 8


def test_services_with_different_limits_are_not_one_lean(pool: Pool) -> None:
    said = r"differ in heartbeats \(20000 and 5000\)"
    with ExitStack() as opened:
        other = opened.enter_context(Pool(1, heartbeats=5_000))
        urls = [opened.enter_context(serving.thread(one)) for one in (pool, other)]
        remote = opened.enter_context(RemotePool(urls))
        with pytest.raises(LeanWorkerError, match=said):
            remote.describe()


def test_a_named_client_has_its_own_turn(url: str) -> None:
    with RemotePool(url, "a-key", name="me") as remote:
        assert [remote.submit(GOOD, client).result(timeout=60).accepted for client in ("", "you")] == [True, True]
