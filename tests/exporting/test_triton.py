"""A model repository of Triton: its configuration, read back by the published schema, says what the graph has."""

import json
import shutil
from pathlib import Path

import pytest

import posekit
from posekit.engines.outputs import parse_metadata
from posekit.engines.spec import SpecError
from posekit.exporting.triton import place_in, write_triton

descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2", reason="protobuf comes with posekit[export]")

MODELS = Path(__file__).parents[2] / "posekit" / "zoo" / "shipped"
NUMBER, TEXT, ENUM, MESSAGE = 3, 9, 14, 11
TYPES = {"TYPE_INVALID": 0, "TYPE_BOOL": 1, "TYPE_UINT8": 2, "TYPE_INT64": 9, "TYPE_FP16": 10, "TYPE_FP32": 11}

# Message: {field: (number, type, repeated)}, those of Triton's model_config.proto that are written.
SCHEMA = {
    "ModelInput": {"name": (1, TEXT, False), "data_type": (2, "DataType", False), "dims": (4, NUMBER, True)},
    "ModelOutput": {"name": (1, TEXT, False), "data_type": (2, "DataType", False), "dims": (3, NUMBER, True)},
    "ModelDynamicBatching": {},
    "ModelParameter": {"string_value": (1, TEXT, False)},
    "ParametersEntry": {"key": (1, TEXT, False), "value": (2, "ModelParameter", False)},
    "ModelConfig": {
        "name": (1, TEXT, False),
        "max_batch_size": (4, NUMBER, False),
        "input": (5, "ModelInput", True),
        "output": (6, "ModelOutput", True),
        "dynamic_batching": (11, "ModelDynamicBatching", False),
        "parameters": (14, "ParametersEntry", True),
        "backend": (17, TEXT, False),
    },
}


def config_class():
    """The message ModelConfig."""
    from google.protobuf import descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="config.proto", package="test", syntax="proto3")
    file.enum_type.add(name="DataType").value.extend(
        descriptor_pb2.EnumValueDescriptorProto(name=name, number=number) for name, number in TYPES.items()
    )
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            made = message.field.add(name=field, number=number, label=3 if repeated else 1)
            if isinstance(kind, str):
                made.type, made.type_name = ENUM if kind == "DataType" else MESSAGE, f".test.{kind}"
            else:
                made.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("test.ModelConfig"))


def parsed(place, message=None):
    from google.protobuf import text_format

    return text_format.Parse((place / "config.pbtxt").read_text(), message or config_class()())


def file_of(folder, name):
    """A shipped model's file under the model's name."""
    return shutil.copy(MODELS / name / "model.onnx", folder / f"{name}.onnx")


@pytest.mark.parametrize("name", ["body-crop-s", "body-s", "face-s"])
def test_the_configuration_says_what_the_graph_has(name, tmp_path):
    file = file_of(tmp_path, name)
    place = write_triton(file, tmp_path / "models", max_batch=8)
    assert place == tmp_path / "models" / name
    assert (place / "1" / "model.onnx").read_bytes() == Path(file).read_bytes()
    engine = posekit.load(file).engine
    config = parsed(place)
    assert (config.name, config.backend, config.max_batch_size) == (name, "onnxruntime", 8)
    assert config.HasField("dynamic_batching")
    (image,) = config.input
    assert (image.name, image.data_type, list(image.dims)) == ("image", TYPES["TYPE_UINT8"], [*engine.spec.size, 3])
    sides = {each.name: list(each.dims) for each in config.output}
    assert sides == {
        each.name: [size if isinstance(size, int) else -1 for size in each.shape[1:]]
        for each in engine.session.get_outputs()
    }
    assert {"xy", "score", "instance_score"} <= set(sides)
    assert [len(sides[each]) for each in ("xy", "score", "instance_score")] == [3, 2, 1]
    assert {each.data_type for each in config.output} == {TYPES["TYPE_FP32"]}


def test_the_spec_reaches_the_clients(tmp_path):
    file = file_of(tmp_path, "body-crop-s")
    (parameter,) = parsed(write_triton(file, tmp_path)).parameters
    assert parameter.key == "posekit"
    stored = posekit.load(file).engine.session.get_modelmeta().custom_metadata_map["posekit"]
    # Files of earlier versions lack newer fields, which have defaults.
    told = json.loads(parameter.value.string_value)
    assert parse_metadata(parameter.value.string_value, "config") == parse_metadata(stored, "file")
    assert json.loads(stored)["spec"].items() <= told["spec"].items() and told["spec"]["nms_in_graph"] is False


@pytest.mark.parametrize("name", ['quote " and \\', "größe", "two\nlines"])
def test_any_name_comes_back_as_it_was(name, tmp_path):
    file = shutil.copy(MODELS / "body-crop-s" / "model.onnx", tmp_path / f"{name}.onnx")
    assert parsed(write_triton(file, tmp_path / "models")).name == name


def test_the_published_schema_reads_it(tmp_path):
    client = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="pip install 'tritonclient[grpc]'")
    config = parsed(write_triton(file_of(tmp_path, "body-s"), tmp_path), client.ModelConfig())
    assert [each.name for each in config.output] == ["xy", "score", "instance_score", "boxes"]


def test_it_is_written_again_over_its_own_and_over_nothing_else(tmp_path):
    file = file_of(tmp_path, "body-crop-s")
    place = write_triton(file, tmp_path / "models")
    write_triton(file, tmp_path / "models", max_batch=1)
    assert parsed(place).max_batch_size == 1
    (place / "config.pbtxt").write_text('name: "body-crop-s"\n')
    with pytest.raises(ValueError, match="exists and was not written by posekit"):
        write_triton(file, tmp_path / "models")


def test_wrong_arguments_are_refused(tmp_path):
    file = file_of(tmp_path, "body-crop-s")
    with pytest.raises(ValueError, match="largest batch must be at least 1; got 0"):
        write_triton(file, tmp_path, max_batch=0)
    with pytest.raises(SpecError, match="no such file"):
        write_triton(tmp_path / "none.onnx", tmp_path)
    with pytest.raises(ValueError, match="is a file; the model repository is a folder"):
        place_in(file, file)


def test_an_output_of_an_unknown_type_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(file_of(tmp_path, "body-crop-s"))
    model.graph.node.append(onnx.helper.make_node("Cast", ["score"], ["double"], to=onnx.TensorProto.DOUBLE))
    model.graph.output.append(onnx.helper.make_tensor_value_info("double", onnx.TensorProto.DOUBLE, None))
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(SpecError, match="output double is tensor\\(double\\); expected one of tensor\\(uint8\\)"):
        write_triton(tmp_path / "odd.onnx", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_export_writes_the_repository_beside_the_checked_file(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("torch")
    from posekit.api.export import export

    made = export("body-crop-s", out=tmp_path / "mine.onnx", count=1, triton=tmp_path / "models")
    assert made.repository == tmp_path / "models" / "mine"
    assert (made.repository / "1" / "model.onnx").read_bytes() == made.file.read_bytes()
    with pytest.raises(ValueError, match="a repository of Triton holds one ONNX file"):
        export("body-crop-s", "openvino", out=tmp_path / "mine.xml", triton=tmp_path / "models")
