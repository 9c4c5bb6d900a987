"""Headless Chromium driven over the DevTools protocol: a page's text, errors and requests."""
import asyncio
import base64
import json
import shutil
import subprocess
import tempfile

import websockets

from relay_process import PATIENCE_S, eventually

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--hide-scrollbars", "--remote-debugging-port=0"]


class Browser:
    """One process with an empty profile; each test opens pages of its own."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="sealpost-chromium-")
        self.process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.address = eventually(self._announced, what="the browser's start")

    def _announced(self):
        assert self.process.poll() is None, "the browser ended at start"
        try:
            with open(f"{self.profile}/DevToolsActivePort") as file:
                port, path = file.read().split()
        except (FileNotFoundError, ValueError):
            return None
        return f"ws://127.0.0.1:{port}{path}"

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def page(self, **how):
        return Page(self.address, **how)


class Page:
    """`async with browser.page() as page`. Collects what the page asked for and complained of."""

    def __init__(self, address, width=1280, height=1000, dark=False):
        self.address = address
        self.size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.dark = dark
        self.errors = []
        self.requests = []

    async def __aenter__(self):
        self.socket = await websockets.connect(self.address, max_size=64 << 20)
        self.waiting = {}
        self.session = None
        self.reader = asyncio.create_task(self._read())
        target = await self.send("Target.createTarget", url="about:blank")
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"],
                                   flatten=True)
        self.target, self.session = target["targetId"], attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")
        await self.send("Emulation.setDeviceMetricsOverride", **self.size)
        await self.send("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"}])
        return self

    async def __aexit__(self, *_):
        self.session, session = None, self.session
        if session:
            await self.send("Target.closeTarget", targetId=self.target)
        self.reader.cancel()
        await self.socket.close()

    async def send(self, method, **parameters):
        number = len(self.waiting) + 1
        self.waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        await self.socket.send(json.dumps(message))
        answer = await asyncio.wait_for(self.waiting[number], PATIENCE_S)
        assert "error" not in answer, answer
        return answer["result"]

    async def _read(self):
        async for text in self.socket:
            message = json.loads(text)
            if "id" in message:
                self.waiting[message["id"]].set_result(message)
                continue
            parameters = message["params"]
            if message["method"] == "Runtime.exceptionThrown":
                self.errors.append(parameters["exceptionDetails"])
            elif message["method"] == "Runtime.consoleAPICalled":
                self.errors.append(parameters)
            elif message["method"] == "Log.entryAdded":
                self.errors.append(parameters["entry"])
            elif message["method"] == "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])

    async def open(self, url):
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def run(self, script):
        """The value of a JavaScript expression."""
        answer = await self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, script, within_s=PATIENCE_S):
        end = asyncio.get_running_loop().time() + within_s
        while not (value := await self.run(script)):
            assert asyncio.get_running_loop().time() < end, f"not in {within_s} s: {script}"
            await asyncio.sleep(0.02)
        return value

    async def text(self, selector):
        return await self.run(f"document.querySelector({json.dumps(selector)})?.innerText")

    async def table(self, selector):
        """The rows of the first table below `selector`, as lists of texts."""
        return await self.run(
            f"[...document.querySelector({json.dumps(selector)} + ' table').rows]"
            ".map((row) => [...row.cells].map((cell) => "
            "cell.innerText.replaceAll('\\u00a0', ' ').trim()))")

    async def screenshot(self, file):
        height = await self.run("document.documentElement.scrollHeight")
        await self.send("Emulation.setDeviceMetricsOverride", **{**self.size, "height": height})
        answer = await self.send("Page.captureScreenshot", format="png")
        with open(file, "wb") as out:
            out.write(base64.b64decode(answer["data"]))
