"""The catalogue and its files agree; models are pulled, checked, found by name, chained and uploaded."""

import json
import shutil
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from figures import FOUR
from huggingface_hub.errors import HFValidationError, LocalTokenNotFoundError

import posekit
from posekit.cli.main import main
from posekit.pipelines.chain import Chain
from posekit.recipes import RECIPES
from posekit.zoo import catalogue as place
from posekit.zoo.catalogue import (
    CHECKOUT,
    CONFIG,
    DEFAULT,
    POSE,
    SHIPPED,
    TENSORS,
    catalogue,
    checksum,
    default_model,
    folder_of,
    pull,
)
from posekit.zoo.errors import WeightsError
from posekit.zoo.folder import find_model, read_spec
from posekit.zoo.hub import is_hub_id, push
from posekit.zoo.weights import save_weights

NAMES = sorted(catalogue())
FILES = {CONFIG, TENSORS, "README.md"}


def here(name):
    """The folder of a model in the package or beside it."""
    for root in (SHIPPED, CHECKOUT):
        if (root / name / CONFIG).is_file():
            return root / name
    pytest.skip(f"{name} is neither in the package nor in models/")


@pytest.mark.parametrize("name", NAMES)
def test_the_files_are_those_of_the_catalogue(name):
    folder = here(name)
    tensors = folder / TENSORS
    assert (tensors.stat().st_size, checksum(tensors)) == (catalogue()[name].size, catalogue()[name].sha256)
    assert read_spec(folder).name == name
    assert name in (folder / "README.md").read_text(encoding="utf-8")
    assert find_model(name) == folder


def test_all_folders_are_in_the_catalogue():
    folders = {folder.parent.name for root in (SHIPPED, CHECKOUT) for folder in root.glob(f"*/{CONFIG}")}
    assert folders <= set(NAMES)


def test_the_package_stays_small():
    files = [file for file in SHIPPED.rglob("*") if file.is_file()]
    # As in a wheel; the code adds about 2 MB.
    assert sum(len(zlib.compress(file.read_bytes())) for file in files) < 43e6
    assert {file: size for file in files if (size := file.stat().st_size) >= 13e6} == {}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finder and a model of crops, with random weights."""
    root = tmp_path_factory.mktemp("models")
    for name, recipe in (("mine-s", "movenet-tiny"), ("mine-crop-s", "topdown-dark-tiny")):
        recipe = RECIPES[recipe](FOUR, size=(64, 64))
        save_weights(root / name, recipe.build(), recipe, {"pck@0.2": 0.5})
    return root


@pytest.fixture
def zoo(made, tmp_path, monkeypatch):
    """A catalogue of the two, none of which is installed."""
    entries = {
        folder.name: {
            "about": "tools",
            "commercial": "yes",
            "sha256": checksum(folder / TENSORS),
            "size": (folder / TENSORS).stat().st_size,
        }
        for folder in made.iterdir()
    }
    file = tmp_path / "catalogue.json"
    file.write_text(json.dumps(entries))
    for constant, value in (("CATALOGUE", file), ("SHIPPED", tmp_path / "none"), ("CHECKOUT", tmp_path / "none")):
        monkeypatch.setattr(place, constant, value)
    monkeypatch.setenv("POSEKIT_MODELS", str(tmp_path / "pulled"))
    catalogue.cache_clear()
    yield SimpleNamespace(source=made, pulled=tmp_path / "pulled")
    catalogue.cache_clear()


def zipped(folder, file, inside):
    with zipfile.ZipFile(file, "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"{inside}/{path.name}")
    return file


def same_files(one, other):
    return {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in other.iterdir()}


def damaged(folder, copy):
    shutil.copytree(folder, copy)
    data = bytearray((copy / TENSORS).read_bytes())
    data[-1] ^= 1
    (copy / TENSORS).write_bytes(data)
    return copy


def test_a_model_that_is_not_here_names_the_command(zoo):
    assert folder_of("mine-s") is None
    with pytest.raises(WeightsError, match="posekit models pull mine-s --source"):
        find_model("mine-s")


@pytest.mark.parametrize("kind", ["folder of models", "the folder", "zip", "wheel"])
def test_pull_copies_from_where_the_model_is(zoo, tmp_path, kind):
    own = zoo.source / "mine-s"
    source = {
        "folder of models": lambda: zoo.source,
        "the folder": lambda: own,
        "zip": lambda: zipped(own, tmp_path / "models.zip", "mine-s"),
        "wheel": lambda: zipped(own, tmp_path / "posekit-1-py3-none-any.whl", "posekit/zoo/shipped/mine-s"),
    }[kind]()
    assert pull("mine-s", source) == zoo.pulled / "mine-s"
    assert {file.name for file in (zoo.pulled / "mine-s").iterdir()} == FILES
    assert same_files(zoo.pulled / "mine-s", own)
    assert [path.name for path in zoo.pulled.iterdir()] == ["mine-s"]
    assert find_model("mine-s") == folder_of("mine-s") == zoo.pulled / "mine-s"


@pytest.mark.parametrize("root", [True, False], ids=["one model", "many models"])
def test_pull_from_a_hub_id(zoo, tmp_path, monkeypatch, root):
    asked = []

    def download(name, allow_patterns):
        asked.append((name, allow_patterns))
        shutil.copytree(zoo.source / "mine-s" if root else zoo.source, tmp_path / "abc123")
        return str(tmp_path / "abc123")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert same_files(pull("mine-s", "somebody/models"), zoo.source / "mine-s")
    ((name, patterns),) = asked
    assert name == "somebody/models" and {"mine-s/*", CONFIG, TENSORS} <= set(patterns)


def test_damaged_tensors_are_refused_and_nothing_is_left(zoo, tmp_path):
    copy = damaged(zoo.source / "mine-s", tmp_path / "copy" / "mine-s")
    for source in (copy, copy.parent, zipped(copy, tmp_path / "models.zip", "mine-s")):
        with pytest.raises(WeightsError, match=r"mine-s has sha256 .*: the file is damaged, or of another version"):
            pull("mine-s", source)
        assert list(zoo.pulled.iterdir()) == []


def test_a_failed_pull_keeps_the_model_that_was_there(zoo, tmp_path):
    pull("mine-s", zoo.source)
    with pytest.raises(WeightsError, match="damaged"):
        pull("mine-s", damaged(zoo.source / "mine-s", tmp_path / "copy" / "mine-s"))
    assert same_files(zoo.pulled / "mine-s", zoo.source / "mine-s")
    assert pull("mine-s", zoo.source) == zoo.pulled / "mine-s"


def test_sources_without_the_model_are_refused(zoo, tmp_path):
    text = tmp_path / "note.txt"
    text.write_text("no archive")
    other = zipped(zoo.source / "mine-crop-s", tmp_path / "other.zip", "mine-crop-s")
    for source, message in (
        (zoo.source / "mine-crop-s", "it holds no folder mine-s with"),
        (other, r"other\.zip: it holds no folder mine-s with"),
        (text, r"note\.txt: neither a folder nor a wheel or zip file"),
        (tmp_path / "nowhere", "no such folder or file; give a folder, a wheel, or a hub id"),
    ):
        with pytest.raises(WeightsError, match=message):
            pull("mine-s", source)
        assert list(zoo.pulled.iterdir()) == []


def test_a_damaged_archive_is_one_message(zoo, tmp_path):
    file = tmp_path / "models.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            archive.writestr(f"mine-s/{name}", bytes(range(256)) * 50)
    data = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        start = archive.getinfo(f"mine-s/{CONFIG}").header_offset + 30 + len(f"mine-s/{CONFIG}")
    data[start : start + 40] = b"\xff" * 40
    file.write_bytes(data)
    with pytest.raises(WeightsError, match=r"models\.zip: .* or a damaged one"):
        pull("mine-s", file)
    assert list(zoo.pulled.iterdir()) == []


def test_the_list_goes_on_behind_a_damaged_model(zoo, capsys):
    for name in ("mine-s", "mine-crop-s"):
        pull(name, zoo.source)
    (zoo.pulled / "mine-s" / CONFIG).write_text("{")
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert "damaged: posekit models pull" in out and "64x64" in out


def test_an_unknown_name_is_answered_with_the_nearest(zoo):
    with pytest.raises(WeightsError, match="no model 'mine-crop'; did you mean 'mine-crop-s'"):
        pull("mine-crop", zoo.source)
    with pytest.raises(WeightsError, match="or a model of posekit; did you mean 'mine-s'"):
        find_model("mine_s")
    with pytest.raises(WeightsError, match="no model 'zebra'; known models: mine-s"):
        pull("zebra", zoo.source)
    assert not zoo.pulled.exists()


@pytest.mark.parametrize("words", [[], ["--help"], *([name, "--help"] for name in ("list", "info", "pull", "convert"))])
def test_help(words, capsys):
    try:
        status = main(["models", *words])
    except SystemExit as end:
        status = end.code
    assert status == 0
    assert f"usage: posekit models {' '.join(words[:-1])}" in capsys.readouterr().out


def test_an_unknown_command_is_refused(capsys):
    assert main(["models", "push"]) == 2
    assert "no command 'push'; commands: list, info, pull, convert" in capsys.readouterr().err


def test_list_info_and_pull_of_a_model(zoo, capsys):
    assert main(["models", "list"]) == 0
    before = capsys.readouterr().out
    assert "mine-s" in before and "mine-crop-s" in before and "no: " in before
    assert main(["models", "info", "mine-s"]) == 1
    assert "posekit models pull mine-s" in capsys.readouterr().err
    for name in ("mine-s", "mine-crop-s"):
        assert main(["models", "pull", name, "--source", str(zoo.source)]) == 0
        assert f"posekit predict PHOTO --model {name}" in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    after = capsys.readouterr().out
    assert "no: " not in after and "64x64" in after
    assert main(["models", "info", "mine-crop-s"]) == 0
    out = capsys.readouterr().out
    for words in ("4 (tool): tip, left_grip", "a crop of each box", "pck@0.2 0.5", "commercial use  yes", "Apache-2.0"):
        assert words in out


@pytest.mark.parametrize("name", NAMES)
def test_info_of_each_model(name, capsys):
    here(name)
    assert main(["models", "info", name]) == 0
    out = capsys.readouterr().out
    assert f"{name}: {catalogue()[name].about}" in out
    assert f"commercial use  {catalogue()[name].commercial}" in out


@pytest.mark.parametrize("by_name", [True, False], ids=["names", "folders"])
def test_two_models_joined_by_a_plus_are_a_chain(zoo, by_name):
    if by_name:
        for name in ("mine-s", "mine-crop-s"):
            pull(name, zoo.source)
    root = "" if by_name else f"{zoo.source}/"
    chain = posekit.load(f"{root}mine-s+{root}mine-crop-s", batch=3, flip_test=True)
    assert isinstance(chain, Chain)
    assert chain.name == "movenet-tiny+topdown-dark-tiny"
    assert (chain.finder.spec.flip_test, chain.pose.spec.flip_test) == (False, True)
    assert chain.finder.batch == chain.pose.batch == 3


def test_three_models_are_no_chain(zoo):
    folder = zoo.source / "mine-s"
    with pytest.raises(ValueError, match=r"a chain is two models, FINDER\+POSE; got 3"):
        posekit.load(f"{folder}+{folder}+{folder}")
    for names in (f"{folder}+", f"+{folder}"):
        with pytest.raises(ValueError, match=r"a chain is two models, FINDER\+POSE; got 1"):
            posekit.load(names)
    with pytest.raises(ValueError, match="a chain is a model that finds instances, then one that takes boxes"):
        posekit.load(f"{folder}+{folder}")


def test_a_folder_with_a_plus_in_its_name_is_one_model(zoo, tmp_path):
    shutil.copytree(zoo.source / "mine-crop-s", tmp_path / "a+b")
    assert posekit.load(tmp_path / "a+b").needs_boxes
    chain = posekit.load(f"{zoo.source}/mine-s+{tmp_path}/a+b")
    assert isinstance(chain, Chain) and chain.name == "movenet-tiny+topdown-dark-tiny"


@pytest.mark.parametrize("name", ["name", "a/b/c", "./models", "../models", "/models", "~/models"])
def test_what_is_no_hub_id(name, zoo, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "HfApi", None)
    assert not is_hub_id(name)
    with pytest.raises(WeightsError, match="not a hub id; expected owner/name"):
        push(zoo.source / "mine-s", name)


def test_push_makes_a_private_repository_and_uploads_the_model(zoo, monkeypatch):
    asked = []

    class Api:
        def create_repo(self, name, **options):
            asked.append((name, options))

        def upload_folder(self, *, repo_id, folder_path, allow_patterns):
            asked.append((repo_id, folder_path, allow_patterns))
            return "https://hub/somebody/mine"

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert push(zoo.source / "mine-s", "somebody/mine") == "https://hub/somebody/mine"
    (created, uploaded) = asked
    assert created == ("somebody/mine", {"private": True, "exist_ok": True})
    assert uploaded[:2] == ("somebody/mine", zoo.source / "mine-s")
    assert any(Path(TENSORS).match(pattern) for pattern in uploaded[2])


@pytest.mark.parametrize(
    "error", [LocalTokenNotFoundError("no token"), HFValidationError("no token"), OSError("no token")]
)
def test_what_the_hub_refuses_is_one_message(zoo, monkeypatch, error):
    class Api:
        def create_repo(self, name, **options):
            raise error

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    with pytest.raises(WeightsError, match=r"somebody/mine: the hub did not take .*: no token; log in by"):
        push(zoo.source / "mine-s", "somebody/mine")
    with pytest.raises(WeightsError, match="no model there"):
        push(zoo.source, "somebody/mine")


def test_a_missing_default_is_told_without_names_that_nobody_typed(zoo, monkeypatch):
    monkeypatch.setattr("posekit.zoo.catalogue.folder_of", lambda name: None)
    for boxes in (False, True):
        with pytest.raises(
            WeightsError, match=r"no model was named, .* is not installed: name one with --model"
        ) as told:
            default_model(boxes)
        assert "body" not in str(told.value) and ": (" not in str(told.value)
    monkeypatch.setattr("posekit.zoo.catalogue.folder_of", lambda name: Path(name) if name == "mine-s" else None)
    with pytest.raises(WeightsError, match="or a model of posekit: mine-s"):
        default_model()
    monkeypatch.setattr("posekit.zoo.catalogue.folder_of", Path)
    assert default_model() == DEFAULT and default_model(boxes=True) == POSE


def test_an_empty_catalogue_is_told_as_such(zoo, monkeypatch):
    monkeypatch.setattr("posekit.zoo.catalogue.catalogue", dict)
    with pytest.raises(WeightsError, match=r"known models: none$"):
        pull("anything", zoo.source)
