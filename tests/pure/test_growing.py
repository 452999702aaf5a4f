"""Logs that grow, in parts: what a look takes, where the next one goes on, and what is never lost or split."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from activities.engines import MOST_LOG
from activities.providers.growing import PART, Grown, Part, Piece, ended, followed, most_of, piece_of
from activities.runners import Order
from activities.web.answers import Answer
from config.errors import RunnerRefused, RunnerUnavailable
from tests.loops import finish


class Logs:
    """What each part has written so far; `broken` is raised instead of an answer."""

    def __init__(self, **texts: str) -> None:
        self.texts, self.open = texts, set[str]()
        self.broken: Exception | None = None
        self.read_parts: list[str] = []
        self.log_parts = ""

    async def parts(self) -> list[Part]:
        return [Part(name, name, name not in self.open) for name in self.texts]

    async def read(self, part: Part, offset: int) -> Piece | None:
        if self.broken:
            raise self.broken
        self.read_parts.append(part.id)
        answer = Answer(200, {}, self.texts[part.id].encode(), "http://engine")
        return piece_of(answer, part, offset) if self.texts[part.id] != "none" else None

    def look(self, offset: int = 0) -> tuple[str, int]:
        grown = finish(followed(self.parts(), self.order(), offset, self.read))
        self.log_parts = grown["log_parts"]
        return grown["log"], grown["log_offset"]

    def end(self, offset: int, *shown: str) -> tuple[str, int]:
        async def story() -> Grown:
            parts: Sequence[Part] = await self.parts()
            return await ended(parts, self.order(), offset, self.read, [one for one in parts if one.id in shown])

        grown = finish(story())
        return grown["log"], grown["log_offset"]

    def order(self) -> Order:
        return Order("1-1", {}, {}, log_parts=self.log_parts)


def test_each_look_takes_the_whole_lines_that_are_new_and_goes_on_to_the_next_part() -> None:
    logs = Logs(build="one\ntw")
    logs.open = {"build"}
    told, offset = logs.look()
    assert (told, offset) == ("── build ──\none\n", 4)
    assert logs.look(offset) == ("", 4)
    logs.texts["build"] = "one\ntwo\nthree"
    assert logs.look(offset) == ("two\n", 8)
    logs.texts["test"], logs.open = "four\n", {"test"}
    told, offset = logs.look(8)
    assert (told, offset) == ("three── test ──\nfour\n", PART + 5)
    assert logs.end(offset, "test") == ("", offset)


def test_a_log_that_comes_later_is_waited_for_and_one_that_never_comes_is_passed() -> None:
    logs = Logs(build="none")
    logs.open = {"build"}
    assert logs.look() == ("", 0)
    logs.texts["test"], logs.open = "one\n", {"test"}
    assert logs.look() == ("── build ──\n── test ──\none\n", PART + 4)


def test_the_last_part_is_asked_again_when_its_log_comes_after_its_end_and_told_in_the_end_if_it_failed() -> None:
    logs = Logs(build="one\n", test="none")
    told, offset = logs.look()
    assert (told, offset) == ("── build ──\none\n", PART)
    assert logs.look(offset) == ("", PART)
    logs.texts["test"] = "two\n"
    assert logs.end(offset, "test") == ("── test ──\ntwo\n", PART + 1)
    assert logs.look(offset) == ("── test ──\ntwo\n", 2 * PART)


def test_a_log_that_is_refused_in_the_end_keeps_nobody_from_the_end_and_one_that_is_away_is_asked_again() -> None:
    logs = Logs(build="one\n")
    logs.broken = RunnerRefused("403")
    assert logs.end(2, "build") == ("", 2)
    logs.broken = RunnerUnavailable("502")
    with pytest.raises(RunnerUnavailable):
        logs.end(2, "build")


def test_a_look_reads_a_few_parts_and_the_next_one_goes_on() -> None:
    logs = Logs(**{f"p{number}": f"{number}\n" for number in range(7)})
    told, offset = logs.look()
    assert (told.count("──"), offset) == (10, 5 * PART)
    told, offset = logs.look(offset)
    assert (told, offset) == ("── p5 ──\n5\n── p6 ──\n6\n", 7 * PART)
    assert logs.look(offset) == ("", offset)


def test_a_part_that_turns_up_before_those_that_were_read_comes_after_them() -> None:
    logs = Logs(lint="one\n", build="two\n")
    logs.open = {"build"}
    told, offset = logs.look()
    assert (told, offset) == ("── lint ──\none\n── build ──\ntwo\n", PART + 4)
    logs.texts = {"unit": "three\n", "build": "two\nfour\n", "lint": "one\n"}
    assert logs.look(offset) == ("four\n", PART + 9)
    logs.open = set()
    told, offset = logs.look(PART + 9)
    assert (told, offset) == ("── unit ──\nthree\n", 3 * PART)
    assert logs.end(offset, "unit") == ("", offset)


def test_in_the_end_what_was_seen_is_known_by_its_mark_wherever_it_stands() -> None:
    logs = Logs(lint="one\n")
    assert logs.look() == ("── lint ──\none\n", PART)
    logs.texts = {"test": "why\n", "lint": "one\n"}
    assert logs.end(PART, "lint") == ("", PART)
    assert logs.end(PART, "test") == ("── test ──\nwhy\n", PART + 1)


def test_a_part_whose_log_came_after_it_was_passed_is_told_in_the_end_if_it_failed() -> None:
    logs = Logs(build="none", lint="one\n")
    told, offset = logs.look()
    assert (told, offset) == ("── build ──\n── lint ──\none\n", 2 * PART)
    assert logs.look(offset) == ("", offset)
    logs.texts["build"] = "why\n"
    assert logs.end(offset, "lint") == ("", offset)
    assert logs.end(offset, "build") == ("── build ──\nwhy\n", offset + 1)


def test_of_one_line_that_is_too_long_the_end_is_shown() -> None:
    over = Part("build", "build", is_over=True)
    for end in (b"y" * (MOST_LOG + 10), b"y" * (MOST_LOG + 10) + b"\n"):
        piece = piece_of(Answer(200, {}, end, "http://engine"), over, 0)
        assert piece is not None
        assert piece.text.count("y") > MOST_LOG - 10


def test_a_part_that_is_told_of_no_more_is_waited_for_until_there_is_another_one() -> None:
    logs = Logs(lint="one\n", build="two\n")
    logs.open = {"build"}
    told, offset = logs.look()
    texts, logs.texts = logs.texts, {}
    assert logs.look(offset) == ("", offset)
    logs.texts = {"lint": "one\n"}
    assert logs.look(offset) == ("", offset)
    logs.texts = {**texts, "build": "two\nthree\n"}
    assert logs.look(offset) == ("three\n", PART + 10)
    logs.texts = {"lint": "one\n", "deploy": "four\n"}
    told, offset = logs.look(PART + 10)
    assert (told, offset) == ("── deploy ──\nfour\n", 3 * PART)
    assert logs.end(offset, "deploy") == ("", offset)


def test_in_the_end_the_rest_comes_and_the_part_that_failed() -> None:
    logs = Logs(build="one\ntwo", test="three\n", deploy="four\n")
    assert logs.end(4, "deploy") == ("two── deploy ──\nfour\n", 5)
    assert logs.end(4, "build") == ("two", 5)
    assert logs.end(PART, "build") == ("", PART)
    assert logs.end(0, "test") == ("three\n", 1)


def test_what_is_long_is_cut_at_a_line_and_what_is_too_long_comes_in_the_end() -> None:
    part, over = Part("build", "build", is_over=False), Part("build", "build", is_over=True)
    long = Answer(200, {}, b"0123456789\n" * 20_000, "http://engine")
    piece = piece_of(long, part, 11)
    assert piece is not None
    assert piece.text.startswith("… (something is left out)\n0123456789\n")
    assert (piece.offset, len(piece.text) < MOST_LOG + 100) == (220_000, True)
    cut = Answer(200, {}, b"tail\nof it\n", "http://engine", is_cut=True)
    assert piece_of(cut, part, 11) == Piece("", 11)
    assert piece_of(cut, over, 11) == Piece("… (something is left out)\nof it\n", 22)
    assert (most_of(over, 0), most_of(part, 0) > MOST_LOG) == (MOST_LOG, True)


def test_a_range_is_what_follows_and_one_that_is_past_the_end_is_nothing_new() -> None:
    part = Part("build", "build", is_over=False)
    assert piece_of(Answer(206, {}, b"new\n", "http://engine"), part, 4) == Piece("new\n", 8)
    assert piece_of(Answer(416, {}, b"", "http://engine"), part, 4) == Piece("", 4)
    assert piece_of(Answer(404, {}, b"gone\n", "http://engine"), part, 4) is None


def test_a_log_that_cannot_be_had_changes_nothing_unless_the_engine_wants_to_be_left_alone() -> None:
    logs = Logs(build="one\n")
    for logs.broken in (RunnerUnavailable("502"), RunnerRefused("403")):
        assert logs.look(2) == ("", 2)
    logs.broken = RunnerUnavailable("429", retry_after=30)
    with pytest.raises(RunnerUnavailable):
        logs.look(2)
