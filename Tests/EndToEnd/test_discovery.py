"""`discover:` against providers' own lists over HTTP: good entries are used, bad ones named, changes logged and adopted."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import HERE, wait_until
from raw_http import ask

LISTS = HERE.parent / "CatalogTests/Fixtures/Discovery"


class Listing:
  """A provider that has nothing but a list."""

  def __init__(self):
    listing = self
    self.body, self.paths = b'{"data":[]}', []

    class Handler(BaseHTTPRequestHandler):
      def do_GET(self):
        listing.paths.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(listing.body)))
        self.end_headers()
        self.wfile.write(listing.body)

      def log_message(self, *_):
        pass

    self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
    threading.Thread(target=self.server.serve_forever, daemon=True).start()

  def close(self):
    self.server.shutdown()
    self.server.server_close()


@pytest.fixture
def listing():
  listing = Listing()
  try:
    yield listing
  finally:
    listing.close()


def routes(listing, **discover):
  return {"providers": {"lister": {"base_url": listing.url, "api_key": "list-key", "discover": discover or True}}}


def models(router):
  return {model["id"]: model for model in ask(router.port, "/v1/models", method="GET").json()["data"]}


@pytest.mark.parametrize("name", sorted(path.stem for path in LISTS.glob("*.json")))
def test_each_shape_of_list_is_read(listing, start_router, name):
  listing.body = (LISTS / f"{name}.json").read_bytes()
  settings = {"format": "endpoints", "models": ["maker/model"]} if name == "openrouter-endpoints" else {"every": "1h"}
  router = start_router(routes(listing, **settings))
  listed = models(router)
  assert listed and all(model.startswith("lister/") for model in listed), listed
  if name == "openrouter-endpoints":
    assert listing.paths[0] == "/v1/models/maker/model/endpoints", listing.paths
  if name == "hostile":
    assert "the list of lister: data[" in router.log.read_text(), router.log_end()
  assert ask(router.port, "/livez", method="GET").status == 200


def test_a_million_entries_are_read_and_the_router_lives(listing, start_router):
  entry = b'{"id":"m%d","pricing":{"prompt":"NaN"}}'
  listing.body = b'{"data":[' + b",".join(entry % number for number in range(1_000_000)) + b"]}"
  router = start_router(routes(listing, every="1h"))
  assert 0 < len(models(router)) <= 10_000
  assert "more" in router.log.read_text(), router.log_end()


def test_a_changed_price_is_logged_and_adopted(listing, start_router):
  def put(prompt):
    listing.body = json.dumps({"data": [{
      "id": "m", "name": "M", "context_length": 4096, "pricing": {"prompt": prompt, "completion": "0.000002"}}]}).encode()
  put("0.000001")
  router = start_router(routes(listing, every="10s"))
  assert models(router)["lister/m"]["pricing"]["prompt"] == "0.000001"
  put("0.000003")
  wait_until(lambda: models(router)["lister/m"]["pricing"]["prompt"] == "0.000003", router.log_end, 30)
  assert any("lister: " in line and "price" in line for line in router.log.read_text().splitlines()), router.log_end()


def test_a_price_that_the_admin_wrote_wins(listing, start_router):
  listing.body = json.dumps({"data": [{
    "id": "m", "context_length": 4096, "pricing": {"prompt": "0.000001", "completion": "0.000001"}}]}).encode()
  pinned = routes(listing, every="1h")
  pinned["models"] = {"mine": {"endpoints": [
    {"provider": "lister", "model": "m", "price": {"input": 7, "output": 7}}]}}
  router = start_router(pinned)
  mine = models(router)["mine"]
  assert (mine["pricing"]["prompt"], mine["context_length"]) == ("0.000007", 4096), mine
