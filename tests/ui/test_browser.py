"""The page in a real browser: Debian's Chromium, driven through its own driver."""

import json
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest
from PIL import Image
from skimage import data as skimage_data

from ldrps.commands.browser.choices import Choices
from ldrps.commands.ui import Ui

PROGRAMS = {"chromium": shutil.which("chromium"), "chromedriver": shutil.which("chromedriver")}
MISSING = [name for name, path in PROGRAMS.items() if path is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (Debian: chromium-driver)")
pytest.importorskip("gradio", reason="the page needs the extra ui: pip install 'ldrps[ui]'")
pytest.importorskip("selenium", reason="the browser tests need selenium")

SLOW = "slowly"
"""As what the photo shows, asks the server of these tests for many steps."""


@pytest.fixture(scope="module")
def address(micro_folder, tmp_path_factory):
    """A running server that restores with a micro pipeline, in few steps; and its folder."""
    import uvicorn

    from ldrps.commands.browser.server import listen, make_app

    def settings(choices):
        steps = ["1000", "1.0"] if choices.prompt == SLOW else ["3", "0.5"]
        return [
            f"--model.backbone.path={micro_folder}",
            f"--model.sampling.num_inference_steps={steps[0]}",
            f"--model.sampling.start_strength={steps[1]}",
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Choices, "settings", settings)
        for name in ("GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY"):
            patch.setenv(name, "")
        folder = tmp_path_factory.mktemp("ui")
        app, sessions = make_app(Ui(max_megabytes=1, device="cpu"), folder)
        listener = listen("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", folder
        server.should_exit = True
        thread.join(timeout=10)
        sessions.close_all()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    downloads = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1200,1400",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(PROGRAMS["chromedriver"]))
    driver.downloads = downloads
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def cat(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "my cat's 😀.jpg"
    Image.fromarray(skimage_data.cat()).resize((64, 48)).save(path)
    return path


def until(check, seconds=30.0):
    """What a check finds, as soon as it finds something."""
    from selenium.common.exceptions import WebDriverException

    end = time.monotonic() + seconds
    while True:
        try:
            if found := check():
                return found
        except WebDriverException:
            pass
        assert time.monotonic() < end, "the page did not come so far"
        time.sleep(0.1)


def find(browser, selector):
    return until(lambda: browser.find_element("css selector", selector))


def open_page(browser, address):
    browser.get(address)
    find(browser, "#restore")


def send(browser, *files):
    find(browser, "#photos input[type=file]").send_keys("\n".join(map(str, files)))
    until(lambda: len(browser.find_elements("css selector", "#photos .file-preview tr.file")) == len(files))


def press(browser, name):
    find(browser, f"#{name}").click()


def write(browser, selector, text):
    field = find(browser, selector)
    field.send_keys(text)


def cards(browser):
    return browser.find_elements("css selector", "#results .card")


def test_a_photo_goes_in_the_slider_moves_and_a_file_comes_out(browser, address, cat):
    open_page(browser, address[0])
    send(browser, cat)
    press(browser, "restore")
    [card] = until(lambda: cards(browser))
    assert "1 of 1" in until(lambda: find(browser, "#progress").text)
    slider = card.find_element("css selector", ".slider")
    handle = slider.find_element("css selector", "input")
    from selenium.webdriver import ActionChains

    ActionChains(browser).move_to_element_with_offset(handle, -150, 0).click().perform()
    assert float(handle.get_attribute("value")) < 40
    assert f"--cut: {handle.get_attribute('value')}%" in slider.get_attribute("style")
    pictures = "return [...document.querySelectorAll('.slider img')].every(image => image.naturalWidth == 64)"
    until(lambda: browser.execute_script(pictures))
    card.find_element("css selector", "a.download").click()
    [file] = until(lambda: [path for path in browser.downloads.iterdir() if path.suffix in (".png", ".jpg")])
    assert file.stem == cat.stem
    assert Image.open(file).size == (64, 48)


def test_a_broken_and_a_large_file_get_one_sentence_each(browser, address, cat, tmp_path):
    broken, large = tmp_path / "broken.png", tmp_path / "large.png"
    broken.write_text("no picture")
    large.write_bytes(b"0" * 1_500_000)
    open_page(browser, address[0])
    send(browser, broken)
    press(browser, "restore")
    assert find(browser, ".sentence").text.startswith("broken.png is not a picture")
    assert not cards(browser)
    open_page(browser, address[0])
    find(browser, "#photos input[type=file]").send_keys(str(large))
    assert "size" in until(lambda: browser.find_element("css selector", ".toast-body").text)


def test_two_tabs_wait_for_each_other_and_cancel_stops_one_in_the_middle(browser, address, cat):
    first = browser.current_window_handle
    open_page(browser, address[0])
    send(browser, cat)
    write(browser, "#prompt textarea, #prompt input", SLOW)
    press(browser, "restore")
    until(lambda: "step" in find(browser, "#progress").text)
    browser.switch_to.new_window("tab")
    open_page(browser, address[0])
    send(browser, cat)
    press(browser, "restore")
    until(lambda: "waiting: 1" in find(browser, "#progress").text)
    second = browser.current_window_handle
    browser.switch_to.window(first)
    press(browser, "cancel")
    until(lambda: "Cancelled; 0 of 1" in find(browser, "#results").text)
    browser.switch_to.window(second)
    assert len(until(lambda: cards(browser))) == 1
    browser.close()
    browser.switch_to.window(first)


def test_the_choices_are_told_as_a_command(browser, address):
    open_page(browser, address[0])
    write(browser, "#prompt textarea, #prompt input", "a cat")
    find(browser, "#snippets button").click()
    until(lambda: "--prompt 'a cat'" in find(browser, "#command").text)
    assert "load_preset('refined'" in find(browser, "#python").text


def test_a_telephone_shows_all_of_it(browser, address, cat):
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    open_page(browser, address[0])
    send(browser, cat)
    browser.execute_script("document.querySelector('#restore').click()")
    [card] = until(lambda: cards(browser))
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    assert card.size["width"] > 280
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_closed_page_leaves_nothing_and_nobody_else_was_asked(browser, address):
    browser.get("about:blank")
    until(lambda: not [path for path in address[1].rglob("*") if path.is_file()])
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    assert len(asked) > 10
    assert not [url for url in asked if not url.startswith((address[0], "data:", "about:", "blob:"))]


def test_another_name_for_this_machine_is_refused(address):
    port = int(address[0].rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
