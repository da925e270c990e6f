from __future__ import annotations

import fcntl
import os
import signal
import threading
from pathlib import Path

import pytest

from domain.refusals import Refusal
from domain.stores import queue
from tests.support.processes import Child, together
from tests.support.writers import hold_turn, take_turns


@pytest.fixture
def lock(tmp_path: Path) -> str:
    """Where the queue is."""
    return str(tmp_path / "queue.lock")


def refused(lock: str, wait: float = 0.05) -> Refusal:
    with pytest.raises(Refusal) as caught, queue.turn(lock, wait):
        pass
    return caught.value


def test_one_process_at_a_time(lock: str, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")

    together(take_turns, [(lock, str(counter), 50)] * 4)
    assert counter.read_text() == "200"


def test_who_comes_is_served_though_others_come_again_and_again(lock: str, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    holder = Child(hold_turn, lock)
    holder.receive()
    crowd = threading.Thread(target=together, args=(take_turns, [(lock, str(counter), 200)] * 3))
    crowd.start()
    holder.connection.send("go")

    with queue.turn(lock, 30.0):
        served_after = int(counter.read_text())
    crowd.join()
    holder.close()
    assert served_after < 600


def test_who_waits_in_vain_is_told_for_whom(lock: str) -> None:
    holder = Child(hold_turn, lock)
    pid = holder.receive()

    refusal = refused(lock)
    assert (refusal.code, refusal.retryable) == ("locked", True)
    assert refusal.details == {"path": lock, "pid": pid}
    assert f"process {pid} " in refusal.message
    assert f"ps -p {pid}" in refusal.hint
    holder.connection.send("go")
    holder.close()


def test_who_waits_in_vain_in_a_thread_is_told_the_same(lock: str) -> None:
    found: list[Refusal] = []
    with queue.turn(lock):
        thread = threading.Thread(target=lambda: found.append(refused(lock)))
        thread.start()
        thread.join()

    assert [(refusal.code, refusal.details["pid"]) for refusal in found] == [("locked", os.getpid())]


def test_a_thread_that_gave_up_does_not_take_the_turn_later(lock: str) -> None:
    with queue.turn(lock):
        threads = [threading.Thread(target=refused, args=(lock,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    for _ in range(3):
        with queue.turn(lock, 30.0):
            pass


@pytest.mark.parametrize("wait", [0.0, 1e-9, -1.0])
def test_who_would_not_wait_is_refused_at_once(lock: str, wait: float) -> None:
    with queue.turn(lock):
        assert refused(lock, wait).code == "locked"


def test_who_got_the_turn_by_trying_is_named_as_well(lock: str) -> None:
    Path(lock).write_text("4194304   \n")
    descriptor = queue.try_turn(lock)
    assert descriptor is not None

    assert refused(lock).details["pid"] == os.getpid()
    os.close(descriptor)


def test_a_lock_file_without_a_pid_names_nobody(lock: str) -> None:
    descriptor = queue.open_lock(lock)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    refusal = refused(lock)
    assert refusal.details["pid"] is None
    assert "unknown" in refusal.message
    assert "ps -p" not in refusal.hint
    os.close(descriptor)


def test_threads_take_turns_as_well(lock: str) -> None:
    inside = 0
    seen: list[int] = []

    def work() -> None:
        nonlocal inside
        for _ in range(20):
            with queue.turn(lock, 30.0):
                inside += 1
                seen.append(inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 80


def test_the_turn_of_a_killed_process_is_free_again(lock: str) -> None:
    holder = Child(hold_turn, lock)
    holder.receive()
    assert refused(lock).code == "locked"
    holder.kill()

    with queue.turn(lock, 30.0):
        pass
    holder.close()


def test_who_waits_gets_the_turn_when_the_holder_is_killed(lock: str) -> None:
    holder = Child(hold_turn, lock)
    holder.receive()
    killer = threading.Timer(0.2, os.kill, (holder.pid, signal.SIGKILL))
    killer.start()

    with queue.turn(lock, 30.0):
        pass
    killer.join()
    holder.close()


def test_the_turn_is_free_after_an_error(lock: str) -> None:
    with pytest.raises(ValueError), queue.turn(lock):
        raise ValueError
    with queue.turn(lock, 0.05):
        pass


def test_waiting_leaves_the_alarm_of_the_program_as_it_was(lock: str) -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda signum, _: rung.append(signum))
    try:
        with queue.turn(lock):
            refused(lock)
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        signal.raise_signal(signal.SIGALRM)
        assert rung == [signal.SIGALRM]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_an_interrupt_ends_the_waiting(lock: str) -> None:
    def interrupt(signum: int, frame: object) -> None:
        raise InterruptedError

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with queue.turn(lock):
            timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
            timer.start()
            with pytest.raises(InterruptedError), queue.turn(lock, 30.0):
                pass
            timer.join()
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_try_does_not_wait(lock: str) -> None:
    first = queue.try_turn(lock)
    assert first is not None
    assert queue.try_turn(lock) is None

    os.close(first)
    second = queue.try_turn(lock)
    assert second is not None
    os.close(second)


def test_the_lock_file_is_private_and_stays(lock: str) -> None:
    with queue.turn(lock):
        pass

    assert os.stat(lock).st_mode & 0o777 == 0o600


def test_a_symbolic_link_is_refused_and_nothing_behind_it_is_touched(lock: str, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    os.symlink(target, lock)

    refusal = refused(lock)
    assert (refusal.code, refusal.details) == ("unsafe-store", {"path": lock})
    assert target.read_text() == "mine"


@pytest.mark.parametrize("make", ["nothing", "a folder"])
def test_what_cannot_be_a_lock_file_is_refused(make: str, tmp_path: Path) -> None:
    lock = tmp_path / "folder" / "queue.lock"
    if make == "a folder":
        lock.mkdir(parents=True)

    assert refused(str(lock)).code == "unwritable"


def test_the_lock_is_not_inherited_by_programs(lock: str) -> None:
    descriptor = queue.open_lock(lock)

    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
