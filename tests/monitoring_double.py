"""Prometheus, Datadog and a monitoring of one's own, as far as the gates speak with them; `now` is their clock.

Shapes: Prometheus 2.42 (tests/system has a real one), datadog-api-client 2.62.0 (v1).
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qs

from tests.engine_double import Reply, Request

NOW = 1_795_773_600.0


class Monitoring:
    """`series` are values by name, one each `every` seconds from `began` on, None for no value."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Request] = []
        self.began = self.now = NOW
        self.every = 60
        self.series: dict[str, list[float | None]] = {"a": []}
        self.next: list[Reply] = []
        self.error = ""

    def fill(self, *values: float | None, name: str = "a") -> None:
        """Have measured some more values of a series; the clock stands at the last one of the longest."""
        self.series.setdefault(name, []).extend(values)
        self.now = self.began + self.every * (max(len(found) for found in self.series.values()) - 1)

    def __call__(self, request: Request) -> Reply:
        if self.next:
            return self.next.pop(0)
        reply = self.answer(request)
        reply.headers["Date"] = format_datetime(datetime.fromtimestamp(self.now, UTC), usegmt=True)
        return reply

    def answer(self, request: Request) -> Reply:
        """Answers as whoever is asked would."""
        if request.path.startswith("/prom/"):
            return self.prometheus(request)
        if request.path.startswith("/api/v1/"):
            return self.datadog(request)
        if request.headers.get("x-key") != "mo-secret":
            return Reply(401, {"message": "who are you? not mo-secret"})
        return self.own(request)

    def points(self, name: str, since: float, until: float) -> list[tuple[float, float | None]]:
        """The points of a series in a span."""
        dated = [(self.began + self.every * n, value) for n, value in enumerate(self.series[name])]
        return [(at, value) for at, value in dated if since <= at <= min(until, self.now)]

    def prometheus(self, request: Request) -> Reply:
        """Answers in the manner of Prometheus."""
        if request.headers.get("authorization") != "Bearer mo-secret":
            return Reply(401, b"Unauthorized")
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form["query"] == "time()":
            return _told({"resultType": "scalar", "result": [self.now, f"{self.now}"]})
        if self.error:
            return Reply(422, {"status": "error", "errorType": "execution", "error": self.error})
        if "{" in form["query"] and "}" not in form["query"]:
            said = "1:3: parse error: unexpected end of input inside braces"
            return Reply(400, {"status": "error", "errorType": "bad_data", "error": said})
        if request.path.endswith("/query"):
            listed = [{"metric": {"shard": name}, "value": [self.now, "0"]} for name in self.series]
            return _told({"resultType": "vector", "result": listed})
        since, until = float(form["start"]), float(form["end"])
        listed = [{"metric": {"__name__": "up", "shard": name},
                   "values": [[at, "NaN" if value is None else str(value)]
                              for at, value in self.points(name, since, until)]} for name in self.series]  # fmt: skip
        return _told({"resultType": "matrix", "result": listed})

    def datadog(self, request: Request) -> Reply:
        """Answers in the manner of Datadog."""
        keys = request.headers.get("dd-api-key"), request.headers.get("dd-application-key")
        if keys != ("mo-secret", "app-secret"):
            return Reply(403, {"errors": ["Forbidden"]})
        if request.path.endswith("/validate"):
            return Reply(body={"valid": True})
        if self.error:
            return Reply(body={"status": "error", "error": self.error})
        since, until = int(request.query["from"]), int(request.query["to"])
        common = {"display_name": "trace.errors", "metric": "trace.errors", "interval": self.every}
        listed = []
        for name in self.series:
            points = [[at * 1000, value] for at, value in self.points(name, since, until)]
            listed.append({**common, "scope": f"shard:{name}", "pointlist": points})
        return Reply(
            body={"status": "ok", "res_type": "time_series", "series": listed, "query": request.query["query"]}
        )

    def own(self, request: Request) -> Reply:
        """Answers in a manner of its own."""
        if request.path == "/now":
            return Reply(body={"checks": {"errors": self.series["a"][-1] if self.series["a"] else None}})
        if request.path != "/range":
            return Reply(404)
        since, until = float(request.json["range"][0]) / 1000, float(request.json["range"][1]) / 1000
        listed = []
        for name in self.series:
            samples = [{"t": at * 1000, "v": value} for at, value in self.points(name, since, until)]
            listed.append({"label": name, "samples": samples})
        return Reply(body={"data": listed})


def _told(data: object) -> Reply:
    return Reply(body={"status": "success", "data": data})
