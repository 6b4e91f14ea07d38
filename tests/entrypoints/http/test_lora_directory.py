"""Clients name LoRA weights below one directory, and reach nothing else."""

from pathlib import Path

import pytest

from cortex_domain.errors import InvalidRequestError
from cortex_entrypoints.http.lora_directory import LoraDirectory
from tests.entrypoints.http.live_server import live_server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "lora"
    (root / "poems" / "last").mkdir(parents=True)
    (root / "poems" / "last" / "adapters.safetensors").touch()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "adapters.safetensors").touch()
    return root


@pytest.mark.parametrize("name", ["poems", "poems/last", "not-there"])
def test_what_is_inside_is_found_and_named(root: Path, name: str) -> None:
    directory = LoraDirectory(root)
    assert directory.find(name) == root / name
    assert directory.name_of(directory.find(name)) == name


def test_links_may_lead_around_inside(root: Path) -> None:
    (root / "best").symlink_to(root / "poems" / "last")
    assert LoraDirectory(root).find("best") == root / "poems" / "last"


def test_the_directory_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    directory = LoraDirectory(tmp_path / "link")
    assert directory.name_of(directory.find("poems")) == "poems"


def test_links_do_not_lead_out(root: Path, tmp_path: Path) -> None:
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "circle").symlink_to(root / "circle")
    (root / "poems" / "adapters.safetensors").symlink_to(tmp_path / "secret" / "adapters.safetensors")
    for name in ("out", "circle", "poems", "../secret", str(tmp_path / "secret")):
        with pytest.raises(InvalidRequestError, match="LORA_DIR") as refusal:
            LoraDirectory(root).find(name)
        assert refusal.value.parameter == "lora_weights"


def test_what_was_loaded_from_elsewhere_is_named_by_its_path(root: Path) -> None:
    assert LoraDirectory(root).name_of(Path("/elsewhere/lora")) == "/elsewhere/lora"


async def test_a_model_is_loaded_with_them_and_says_so(root: Path) -> None:
    async with live_server(lora_dir=root) as server:
        loaded = await server.client.post("/api/models/echo/load", json={"lora_weights": "poems/last"})
        assert (loaded.status_code, loaded.json()["lora_weights"]) == (200, "poems/last")
        assert (await server.client.post("/api/models/echo/load")).json() == loaded.json()
        assert (await server.client.post("/api/models/echo/load", json={"lora_weights": None})).status_code == 200
        other = await server.client.post("/api/models/echo/load", json={"lora_weights": "poems"})
        assert (other.status_code, other.json()["error"]["code"]) == (409, "model_loaded_otherwise")
        assert (await server.client.get("/api/models/echo")).json()["lora_weights"] == "poems/last"
        assert (await server.client.post("/api/models/echo/unload")).json()["lora_weights"] is None


@pytest.mark.parametrize(
    "name", ["../secret", "/etc", "poems/../../secret", ".hidden", "", "a\n", "a//b", "a/", "a\x00"]
)
async def test_names_that_are_no_names_are_refused(root: Path, name: str) -> None:
    async with live_server(lora_dir=root) as server:
        refused = await server.client.post("/api/models/echo/load", json={"lora_weights": name})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "lora_weights")
        assert (await server.client.get("/api/models/echo")).json()["state"] == "downloaded"


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [(b"{}", "application/json", 200), (b"{}", "text/plain", 415), (b"{", "application/json", 400), (b"", "", 200)],
)
async def test_the_body_may_be_left_out(root: Path, content: bytes, media_type: str, status: int) -> None:
    async with live_server(lora_dir=root) as server:
        headers = {"Content-Type": media_type} if media_type else {}
        response = await server.client.post("/api/models/echo/load", content=content, headers=headers)
        assert response.status_code == status
