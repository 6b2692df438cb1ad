"""The lines of `make bench`, and what they make of its exit code."""

from collections.abc import Iterable

import pytest

from bench import __main__ as harness
from bench.figure import Figure, Peer, at_least, at_most


@pytest.mark.parametrize(
    ("figure", "line"),
    [
        (
            Figure("settle", 7123.4, "node-roles/s", at_least(5000)),
            "bench settle 7123 node-roles/s goal >= 5000 ok",
        ),
        (Figure("cpu", 0.3456, "CPU-s", at_most(0.33)), "bench cpu 0.346 CPU-s goal <= 0.33 MISS"),
        (Figure("edge", 1.3, "times", at_most(1.3)), "bench edge 1.3 times goal <= 1.3 ok"),
        (
            Figure("sweep", 0.5, "s", at_most(2.0), Peer("ipmipower", 2.0)),
            "bench sweep 0.5 s goal <= 2 ok (beside ipmipower 2 s, ratio 0.25)",
        ),
    ],
)
def test_a_figure_tells_its_goal_and_whether_it_is_met(figure: Figure, line: str) -> None:
    assert line == figure.line()


@pytest.fixture
def two_benches(monkeypatch: pytest.MonkeyPatch) -> None:
    def good() -> Iterable[Figure]:
        yield Figure("good", 1, "s", at_most(2))

    def bad() -> Iterable[Figure]:
        yield Figure("bad", 3, "s", at_most(2))

    monkeypatch.setattr(harness, "BENCHES", {"good": good, "bad": bad})


@pytest.mark.parametrize(
    ("environment", "code", "names"),
    [
        ({}, 0, ["good", "bad"]),
        ({"STRICT": "1"}, 1, ["good", "bad"]),
        ({"STRICT": "1", "ONLY": "good"}, 0, ["good"]),
        ({"ONLY": "bad"}, 0, ["bad"]),
    ],
)
def test_only_names_one_bench_and_strict_makes_a_miss_count(
    two_benches: None,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    code: int,
    names: list[str],
) -> None:
    assert code == harness.main(environment)
    assert names == [line.split()[1] for line in capsys.readouterr().out.splitlines()]


def test_an_unknown_bench_is_refused_with_those_there_are(
    two_benches: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 2 == harness.main({"ONLY": "gut"})
    assert "good, bad" in capsys.readouterr().err
