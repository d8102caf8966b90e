"""A subject that is a process of this machine: started, watched, stopped, killed with all that is its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot import processes
from drill.judge import What
from drill.log import Log
from drill.memory import MemoryGroup
from drill.subject import Impossible, Restart, Victim
from drill.volume import Volume, listing, session_files
from drill.wire import Weather, Wire
from simulator import tls

_RESTART_FIRST, _RESTART_LONGEST = 0.2, 5.0
_STOP_SECONDS = 30
_GONE_SECONDS = 10.0
_LINE_LIMIT = 1 << 22
_SITE_NAME = "site.drill.test"
_MARK = "DRILL_SUBJECT"

# In namespaces of its own: a hosts file that can lose a name, a host name that can change, a group for its memory.
_ENTER = """
if [ -n "$DRILL_HOSTS" ]; then
    mount --bind "$DRILL_HOSTS" /etc/hosts && mount --bind "$DRILL_HOSTS.resolv" /etc/resolv.conf || exit 125
    hostname "$DRILL_HOSTNAME" || exit 125
fi
if [ -n "$DRILL_GROUP" ]; then echo $$ > "$DRILL_GROUP" || exit 125; fi
unset DRILL_HOSTS DRILL_HOSTNAME DRILL_GROUP
exec "$@"
"""


class ProcessSubject(ABC):
    """`folder` is its alone: what runs is found by it too."""

    def __init__(  # noqa: PLR0913  what a process stands on
        self,
        name: str,
        folder: Path,
        volume: Volume,
        wire: Wire,
        pin: str,
        *,
        namespaces: bool,
        group: MemoryGroup | None,
    ) -> None:
        self.name = name
        self.folder = folder
        self.volume = volume
        self.log = Log(folder / "log.jsonl")
        self.anew = 0
        self._wire = wire
        self._pin = pin
        self._hosts = folder / "hosts" if namespaces else None
        self._group = group
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = False
        self._write_hosts(resolve=True)

    @property
    def browser_args(self) -> list[str]:
        site = _SITE_NAME if self._hosts else "127.0.0.1"
        return [
            f"--host-resolver-rules=MAP {tls.HOST}:443 {site}:{self._wire.port}",
            f"--ignore-certificate-errors-spki-list={self._pin}",
        ]

    @abstractmethod
    def command(self) -> tuple[Sequence[str], dict[str, str]]:
        """The command line, and what it wants in its environment."""

    @abstractmethod
    def heard(self, event: dict[str, Any]) -> What | None:
        """What one line of its standard output means; the line itself is in the log already."""

    @abstractmethod
    def profile(self) -> Path: ...

    @abstractmethod
    async def code(self) -> str: ...

    # --- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self._wanted = True
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        self.log.note("stop")
        await self._end(self._terminate)

    async def kill(self, victim: Victim) -> None:
        self.log.note("kill", victim=victim.name.lower())
        if victim is Victim.ALL:
            await self._end(self._kill_family)
        elif victim is Victim.BOT:
            assert self._process is not None
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        else:
            pids = self._browsers() if victim is Victim.BROWSER else self._renderers()
            if not pids:
                raise Impossible("no such process runs")
            processes.send(pids, signal.SIGKILL)

    async def close(self) -> None:
        await self._end(self._kill_family)
        if self._group:
            await asyncio.to_thread(self._group.remove)
        await self.volume.remove()

    async def _spawn(self) -> None:
        argv, wanted = self.command()
        environ = os.environ | wanted | {_MARK: str(self.folder)}
        if self._hosts:
            environ |= {"DRILL_HOSTS": str(self._hosts), "DRILL_HOSTNAME": f"drill-{self.anew}"}
            # Slave: an unmounted disk must go from the subject's eyes too, or it stays in use for ever.
            argv = ("unshare", "--mount", "--uts", "--propagation", "slave", "sh", "-c", _ENTER, "sh", *argv)
        else:
            argv = ("sh", "-c", _ENTER, "sh", *argv)
        if self._group:
            environ |= {"DRILL_GROUP": str(self._group.joining)}
        with (self.folder / "stderr").open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *argv, env=environ, cwd=self.folder, start_new_session=True, limit=_LINE_LIMIT,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        self.log.hear(What.STARTED)

    async def _keep(self) -> None:
        """Reads what it tells; starts it again when it ended and nobody wanted that, each time a little later."""
        pause = _RESTART_FIRST
        while True:
            assert self._process is not None
            await self._read(self._process)
            code = await self._process.wait()
            self.log.note("exit", code=code)
            if not self._wanted:
                return
            self.log.hear(What.ENDED)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _RESTART_LONGEST)
            await self._spawn()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                self.log.note("stray", line=line.decode(errors="replace")[:500])
                continue
            self.log.told(event)
            what = self.heard(event)
            if what is not None:
                self.log.hear(what)

    async def _end(self, end: Any) -> None:
        self._wanted = False
        if self._process is not None:
            if self._process.returncode is not None and self._keeper:
                self._keeper.cancel()  # it waits before the next start, or is just at it
            await end()
        if self._keeper:
            # An orphan may hold the pipe: what counts is that the process is gone.
            await asyncio.wait([self._keeper], timeout=1)
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        await self._kill_family()

    async def _terminate(self) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self.log.note("stop_ignored", seconds=_STOP_SECONDS)

    async def _kill_family(self) -> None:
        """All at once: a browser whose bot is gone would tidy up after itself."""
        family = self._family()
        for sent in (signal.SIGSTOP, signal.SIGKILL):
            processes.send(family, sent)
        await asyncio.to_thread(processes.wait_gone, family, _GONE_SECONDS)

    # --- who is who -----------------------------------------------------------------------------------------

    def _family(self) -> set[int]:
        roots = {pid for pid in processes.all_pids() if self._is_ours(pid)}
        if self._process is not None and self._process.returncode is None:
            roots.add(self._process.pid)
        return {pid for pid in processes.with_descendants(roots) if processes.is_alive(pid)} - {os.getpid()}

    def _is_ours(self, pid: int) -> bool:
        """Children inherit the mark; a browser's may have lost it, but names its folder."""
        return processes.has_environment(pid, f"{_MARK}={self.folder}") or any(
            str(self.folder) in word for word in processes.command_line(pid)
        )

    def _browsers(self) -> list[int]:
        return [
            pid
            for pid in self._family()
            if processes.uses_profile(pid, self.profile()) and processes.is_main_browser(pid)
        ]

    def _renderers(self) -> list[int]:
        return [pid for pid in self._family() if "--type=renderer" in processes.command_line(pid)]

    # --- what befalls it ------------------------------------------------------------------------------------

    async def weather(self, weather: Weather) -> None:
        self.log.note("weather", weather=weather.name.lower())
        await self._wire.change(weather)

    async def pause(self, paused: bool) -> None:
        self.log.note("pause", paused=paused)
        processes.send(self._family(), signal.SIGSTOP if paused else signal.SIGCONT)

    async def plug(self, plugged: bool) -> None:
        raise Impossible("a process has no network of its own")

    async def names(self, resolve: bool) -> None:
        if not self._hosts:
            raise Impossible("no namespaces")
        self.log.note("names", resolve=resolve)
        self._write_hosts(resolve=resolve)

    def _write_hosts(self, *, resolve: bool) -> None:
        """In place: the file is bound over the subject's /etc/hosts."""
        if self._hosts:
            found = f"127.0.0.1 {_SITE_NAME}\n" if resolve else ""
            self._hosts.write_text(f"127.0.0.1 localhost\n{found}")
            # Where nobody answers, and the kernel says so at once: no real name server is asked for our names.
            self._hosts.with_name("hosts.resolv").write_text("nameserver 127.0.0.1\noptions attempts:1\n")

    async def starve(self, seconds: float) -> bool:
        if self._group is None:
            raise Impossible("no control group")
        done = await self._group.squeeze(seconds)
        self.log.note("starved", killed=done)
        return done

    async def make_anew(self) -> None:
        if not self._hosts:
            raise Impossible("no namespaces")
        await self.stop()
        self.anew += 1
        self.log.note("anew", number=self.anew)
        await self.start()

    async def restart_engine(self, how: Restart) -> None:
        raise Impossible("a process has no engine")

    def files(self) -> list[Path]:
        return session_files(self.volume.path, self.profile())

    async def listing(self) -> str:
        return await listing(self.volume.path)
