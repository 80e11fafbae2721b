"""Who tells the story: the requests of everybody in it, and the failure of a step."""

import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import requests

from app.clock import SHANGHAI
from app.directory.demonstration import PASSWORD
from app.text import catalogue

WAIT_SECONDS = 30

Forward = Callable[[timedelta], None]
Say = Callable[[str], None]


class StoryFailed(RuntimeError):
    """The server did not do what the story tells; the message names the step."""


class Teller:
    """Tells the steps, and carries every request to the server as whoever acts in it."""

    def __init__(self, base_url: str, forward: Forward, say: Say):
        self.base_url = base_url.rstrip("/")
        self.say = say
        self.step = "intro"
        self._forward = forward
        self._session = requests.Session()
        # Neither a proxy of the environment nor a .netrc may change where a request goes or who it comes from.
        self._session.trust_env = False
        self._tokens: dict[str, str] = {}
        self._bodies: dict[tuple[str, str], str] = {}
        self._villages: dict[str, list[str]] = {}

    def __enter__(self) -> "Teller":
        return self

    def __exit__(self, *_error: object) -> None:
        self._session.close()

    def tell(self, step: str, **values: Any) -> None:
        """Say the step; whatever goes wrong from now on is a failure of it."""
        self.step = step
        zh, en = (text.format(**values) for text in catalogue("story")[step])
        self.say(f"{zh}  {en}")

    def require(self, holds: bool, expected: str) -> None:
        """Raises StoryFailed, naming the step and what was expected, unless it holds."""
        if not holds:
            raise StoryFailed(f"step {self.step}: expected {expected}")

    def forward(self, span: timedelta) -> None:
        """Move the clock. Tokens run out by the same clock, so everybody signs in anew."""
        self._forward(span)
        self._tokens.clear()

    def now(self) -> datetime:
        """The instant that the product's clock shows: ours, moved on by what /readyz tells."""
        try:
            offset = self._session.get(f"{self.base_url}/readyz", timeout=30).json()["clock_offset_seconds"]
        except (requests.RequestException, KeyError) as error:
            raise StoryFailed(f"step {self.step}: /readyz does not tell the clock") from error
        return datetime.fromtimestamp(time.time() + offset, UTC)

    def today(self) -> date:
        """The day that the product's clock shows in Shanghai."""
        return self.now().astimezone(SHANGHAI).date()

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        query: Mapping[str, Any] | None = None,
        refused: int | None = None,
    ) -> Any:
        """The answer to a request. Raises StoryFailed when it is an error, or is not the error `refused`."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_urlsafe(24)
        try:
            answer = self._session.request(
                method, f"{self.base_url}/api/v1{path}", json=body, params=query, headers=headers, timeout=30
            )
            known = answer.json() if answer.content else None
        except requests.RequestException as error:
            raise StoryFailed(f"step {self.step}: {method} {path}: {type(error).__name__}") from error
        if (answer.status_code != refused) if refused else not answer.ok:
            kind = known.get("type") if isinstance(known, dict) else None
            raise StoryFailed(f"step {self.step}: {method} {path} answered {answer.status_code} {kind or ''}")
        return known

    def sheet(self, path: str, token: str) -> bytes:
        """The PDF at a path. Raises StoryFailed when the answer is none."""
        headers = {"Authorization": f"Bearer {token}"}
        try:
            answer = self._session.get(f"{self.base_url}/api/v1{path}", headers=headers, timeout=30)
        except requests.RequestException as error:
            raise StoryFailed(f"step {self.step}: GET {path}: {type(error).__name__}") from error
        if not answer.content.startswith(b"%PDF-"):
            raise StoryFailed(f"step {self.step}: GET {path} answered {answer.status_code} and no PDF")
        return answer.content

    def staff(self, username: str) -> str:
        """The access token of a demonstration account."""
        if username not in self._tokens:
            answer = self.send("POST", "/auth/staff/sign-in", {"username": username, "password": PASSWORD})
            self._tokens[username] = answer["access_token"]
        return self._tokens[username]

    def holder(self, serial: str, pin: str) -> str:
        """The access token of whoever holds a receipt."""
        if serial not in self._tokens:
            answer = self.send("POST", "/auth/receipt/sign-in", {"serial": serial, "pin": pin})
            self._tokens[serial] = answer["access_token"]
        return self._tokens[serial]

    def village(self, township: str, *names: str) -> str:
        """The code of the first village below the township whose name begins with one of `names`."""
        for name in names:
            found = self.send("GET", "/divisions", query={"parent": township, "q": name})["items"]
            for division in found:
                if division["name"].startswith(name) and division["withdrawn_on"] is None:
                    return str(division["code"])
        raise StoryFailed(f"step {self.step}: no village {' or '.join(names)} below {township}")

    def villages(self, township: str) -> list[str]:
        """The codes of all villages of a township."""
        if township not in self._villages:
            items = self.send("GET", "/divisions", query={"parent": township})["items"]
            self._villages[township] = [one["code"] for one in items]
        return self._villages[township]

    def body(self, asker: str, division: str, name: str) -> str:
        """The id of the body whose name ends with `name`, as the asker finds it in the directory."""
        if (division, name) not in self._bodies:
            query = {"division": division, "limit": 200}
            items = self.send("GET", "/organisations", token=self.staff(asker), query=query)["items"]
            ids = [one["id"] for one in items if one["name"].endswith(name)]
            self.require(len(ids) == 1, f"one body called {name} in {division}, found {len(ids)}")
            self._bodies[division, name] = ids[0]
        return self._bodies[division, name]

    def file(self, village: str, title: str, body: str, **more: Any) -> "Case":
        """File a petition on line, without an account."""
        draft = {"division_code": village, "title": title, "body": body, **more}
        return Case(self, self.send("POST", "/petitions", draft))

    def take_letter(self, clerk: str, village: str, title: str, body: str, **more: Any) -> "Case":
        """Let an office write down a petition that came by letter."""
        draft = {"division_code": village, "title": title, "body": body, "channel": "letter", **more}
        return Case(self, self.send("POST", "/intake/petitions", draft, token=self.staff(clerk)))


class Case:
    """One petition, with the receipt that its petitioner holds."""

    def __init__(self, teller: Teller, receipt: Mapping[str, Any]):
        self.teller = teller
        self.receipt = receipt
        self.path = f"/petitions/{receipt['id']}"
        self.view: dict[str, Any] = {"state": receipt["state"]}

    @property
    def state(self) -> str:
        """The state in which the last answer showed the case."""
        return str(self.view["state"])

    def act(self, username: str, event: str, **facts: Any) -> None:
        """Let a member of staff do something to the case."""
        self.view = self.teller.send("POST", f"{self.path}/actions/{event}", facts, token=self.teller.staff(username))

    def refused(self, username: str, event: str, status: int, **facts: Any) -> None:
        """Raises StoryFailed unless the server refuses this with `status`."""
        token = self.teller.staff(username)
        self.teller.send("POST", f"{self.path}/actions/{event}", facts, token=token, refused=status)

    def note(self, username: str, kind: str, facts: Mapping[str, Any]) -> Any:
        """Record a meeting or money on the case."""
        return self.teller.send("POST", f"{self.path}/{kind}", facts, token=self.teller.staff(username))

    def act_as_petitioner(self, event: str, **facts: Any) -> None:
        """Let the petitioner do something, signed in with number and PIN of the receipt."""
        self.view = self.teller.send("POST", f"{self.path}/actions/{event}", facts, token=self._holder())

    def print_papers(self) -> None:
        """Let the petitioner print the receipt and the latest paper of the case, and check that paper as anybody may."""
        size = len(self.teller.sheet(f"{self.path}/receipt.pdf", self._holder()))
        self.teller.tell("paper.receipt", serial=self.receipt["serial"], size=size)
        paper = self.teller.send("GET", f"{self.path}/papers", token=self._holder())["items"][-1]
        self.teller.sheet(f"{self.path}/papers/{paper['seq']}.pdf", self._holder())
        query = {"number": paper["number"], "code": paper["code"]}
        checked = self.teller.send("GET", "/papers/verify", query=query)
        self.teller.require(checked["genuine"], "the paper is genuine")
        self.teller.tell("paper.opinion", number=paper["printed_number"], code=paper["code"], last=paper["last_on"])

    def look(self, username: str | None = None) -> dict[str, Any]:
        """The case as it is now, seen by a member of staff or else by its petitioner."""
        token = self.teller.staff(username) if username else self._holder()
        self.view = self.teller.send("GET", self.path, token=token)
        return self.view

    def require(self, **expected: Any) -> None:
        """Raises StoryFailed unless the case shows these values."""
        for name, value in expected.items():
            found = self.view[name]
            self.teller.require(found == value, f"{name} {value!r}, found {found!r}")

    def wait_for(self, state: str) -> None:
        """Let the clock pass the next forced step and wait until the worker has taken it. Raises StoryFailed after 30 s."""
        due = instant(self.look()["next_due_at"])
        self.teller.forward(max(due - self.teller.now(), timedelta(0)) + timedelta(minutes=1))
        self.wait_until(state)

    def arrive(self, state: str) -> None:
        """Wait until the worker has done what is due already; the clock stands still. Raises StoryFailed after 30 s."""
        self.teller.forward(timedelta(0))
        self.wait_until(state)

    def wait_until(self, state: str) -> None:
        """Wait until the worker has taken the case to `state`. Raises StoryFailed after 30 s."""
        end = time.monotonic() + WAIT_SECONDS
        while self.look()["state"] != state and time.monotonic() < end:
            time.sleep(0.5)
        self.require(state=state)

    def _holder(self) -> str:
        return self.teller.holder(self.receipt["serial"], self.receipt["pin"])


class Clue:
    """The sealed clue of a petition, as the discipline side works on it. `finder` must stand on its list."""

    def __init__(self, teller: Teller, finder: str, serial: str):
        self.teller = teller
        found = teller.send("GET", "/clues", token=teller.staff(finder))["items"]
        ids = [one["id"] for one in found if one["serial"] == serial]
        teller.require(len(ids) == 1, "one clue in the list of its reader")
        self.path = f"/clues/{ids[0]}"

    def act(self, username: str, event: str, **facts: Any) -> Any:
        """Let a member of staff do something to the clue."""
        return self.teller.send("POST", f"{self.path}/actions/{event}", facts, token=self.teller.staff(username))

    def refused(self, username: str, status: int, event: str | None = None, **facts: Any) -> None:
        """Raises StoryFailed unless the server refuses this, or the mere look without an event, with `status`."""
        path, method = (f"{self.path}/actions/{event}", "POST") if event else (self.path, "GET")
        body = facts if event else None
        self.teller.send(method, path, body, token=self.teller.staff(username), refused=status)


def instant(text: str) -> datetime:
    """The instant that an answer shows."""
    return datetime.fromisoformat(text)
