"""ai-limit as a mitmproxy script: `mitmdump -s addons/ai_limit.py`."""

import asyncio
import logging
import os
from collections.abc import Coroutine
from pathlib import Path

from mitmproxy import ctx, exceptions, http, tls
from mitmproxy.addonmanager import Loader

from addons.background import Background
from addons.dispatch import install
from addons.enforcement import Enforcement
from addons.exchange import Settlements
from addons.functions import Functions
from addons.guard import drops_on_bug, refuses_on_bug, survives_bug
from addons.identification import Identification
from addons.interception import pass_through_unless_known
from addons.replacing import finish
from addons.sessions import Sessions
from addons.streaming import attach_tap
from limiter.app import App, Sources
from limiter.config import ConfigError
from limiter.stores.contract import LEASE, StoreError

logger = logging.getLogger(__name__)

DEFAULT = Path(__file__).parent.parent / "configs" / "default.yaml"
RELOAD_SECONDS = 1.0
RENEW_SECONDS = LEASE / 1000 / 4


class AiLimit:
    """The hooks, each a line or two; what they do is in the modules that they call."""

    def __init__(self) -> None:
        self._app: App | None = None
        self._enforcement: Enforcement | None = None
        self._settlements = Settlements()
        self._sessions = Sessions(self._settlements)
        self._background = Background()
        self._functions = Functions()
        self._identification = Identification()
        self._tasks: set[asyncio.Task[None]] = set()

    def load(self, loader: Loader) -> None:
        loader.add_option("ai_limit_config", str, "", "Configuration of ai-limit: a file or a folder.")
        loader.add_option("ai_limit_store", str, "", "Where ai-limit keeps counters: memory: or sqlite:////path.")

    def configure(self, updated: set[str]) -> None:
        """Loads the configuration; what is wrong with it stops the start, or is rejected while running."""
        if not updated & {"ai_limit_config", "ai_limit_store"}:
            return
        sources = Sources.find(os.environ, DEFAULT, ctx.options.ai_limit_config, ctx.options.ai_limit_store)
        try:
            app = App(sources)
        except (ConfigError, StoreError) as problem:
            if self._app:
                raise exceptions.OptionsError(f"ai-limit: {problem}") from problem
            # An error in the log ends the start; a traceback above it would only hide the line that matters.
            logger.error("ai-limit: the start is given up:\n%s", problem)  # noqa: TRY400
            return
        if self._app:
            self._start(self._retire(self._app))
        self._app = app
        self._enforcement = Enforcement(app, self._identification, self._background, self._functions)
        for warning in app.warnings:
            logger.warning("ai-limit: %s", warning)
        logger.info("ai-limit: %s", app.summary)

    def running(self) -> None:
        _set_options()
        self._keep_hosts()
        _keep_loaded()
        _warn_of_open_door()
        install(ctx.master.addons)
        self._start(self._follow_files())
        self._start(self._renew_leases())
        self._start(self._warm())

    async def done(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._sessions.close()
        await self._leave_to_polls()
        await self._settlements.finished()
        await self._functions.close()
        if self._app:
            await self._app.close()

    @survives_bug
    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        pass_through_unless_known(data, self._in_force().running.directory)

    @refuses_on_bug
    async def http_connect(self, flow: http.HTTPFlow) -> None:
        running = self._in_force().running
        if not flow.response:
            self._identification.connect(flow, running)

    @refuses_on_bug
    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        if not flow.response:
            await self._enforcing().recognise(flow)

    @refuses_on_bug
    async def request(self, flow: http.HTTPFlow) -> None:
        if not flow.response:
            await self._enforcing().admit(flow)

    @survives_bug
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        attach_tap(flow, self._in_force().running.replies)

    @survives_bug
    def response(self, flow: http.HTTPFlow) -> None:
        finish(flow)
        self._settlements.begin(flow)

    @survives_bug
    def error(self, flow: http.HTTPFlow) -> None:
        self._settlements.begin(flow)
        self._sessions.end(flow)

    @drops_on_bug
    async def websocket_message(self, flow: http.HTTPFlow) -> None:
        await self._sessions.message(flow, self._enforcing())

    @survives_bug
    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self._sessions.end(flow)

    def _in_force(self) -> App:
        if self._app is None:
            raise RuntimeError("no configuration is loaded")
        return self._app

    def _enforcing(self) -> Enforcement:
        if self._enforcement is None:
            raise RuntimeError("no configuration is loaded")
        return self._enforcement

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _keep_hosts(self) -> None:
        """Routes look at the host that a client asked for, which mitmproxy else overwrites in reverse mode."""
        if self._in_force().running.passage.has_routes and not ctx.options.keep_host_header:
            ctx.options.update(keep_host_header=True)

    async def _follow_files(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_SECONDS)
            try:
                if said := await asyncio.to_thread(self._in_force().reload):
                    logger.warning("ai-limit: %s", said)
                    self._keep_hosts()
            except Exception:
                logger.exception("ai-limit: internal error while reloading; the old configuration stays in force")

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self._in_force().renew()
                await self._background.expire()
            except StoreError as problem:
                logger.warning("ai-limit: leases could not be renewed: %s", problem)
            except Exception:
                logger.exception("ai-limit: internal error while renewing leases")

    async def _warm(self) -> None:
        try:
            await asyncio.to_thread(self._in_force().warm)
        except Exception:
            logger.exception("ai-limit: internal error while loading prices")

    async def _leave_to_polls(self) -> None:
        try:
            await self._background.close()
        except StoreError as problem:
            logger.warning("ai-limit: work in the background could not be settled: %s", problem)

    async def _retire(self, app: App) -> None:
        await self._leave_to_polls()
        await self._settlements.finished()
        await app.close()


def _set_options() -> None:
    """Options that metering stands on."""
    # A refused request must not cost a connection, and a failed one must reach the error hook.
    ctx.options.update(connection_strategy="lazy")
    if ctx.options.stream_large_bodies:
        logger.warning("ai-limit: stream_large_bodies is switched off: it forwards requests before they are admitted")
        ctx.options.update(stream_large_bodies=None)
    if ctx.options.flow_detail == 1:
        # The default prints URLs, which may hold keys; every metered exchange has a line of ours.
        ctx.options.update(flow_detail=0)


def _warn_of_open_door() -> None:
    """mitmproxy listens to the whole network unless told otherwise, and whoever comes may spend."""
    if not ctx.options.listen_host and not ctx.options.proxyauth:
        logger.warning("ai-limit: open to the whole network; --listen-host 127.0.0.1 or --proxyauth closes it")


def _keep_loaded() -> None:
    """Stops mitmproxy from reloading this script when its file changes: a broken edit would remove every limit."""
    loader = ctx.master.addons.get("scriptloader")
    for script in loader.addons if loader else ():
        if Path(script.fullpath).resolve() == Path(__file__).resolve() and script.reloadtask:
            script.reloadtask.cancel()


addons = [AiLimit()]
