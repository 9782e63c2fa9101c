// Points of a photo by a model that `posekit export` wrote, as CSV, with ONNX Runtime.
// The image is fitted into the model's input as posekit does it where no box is given: the full image, centred, with
// the model's padding. Pixels are continuous: the centre of the first is (0.5, 0.5).
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> rgb;
};

static Image read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  auto word = [&file] {  // The next word of the header; comments run from # to the end of the line.
    std::string text;
    while (file >> text && text[0] == '#') file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    return text;
  };
  Image image;
  if (word() != "P6") throw std::runtime_error(path + ": expected a binary PPM image (P6)");
  image.width = std::atoi(word().c_str()), image.height = std::atoi(word().c_str());
  if (image.width < 1 || image.height < 1 || word() != "255") throw std::runtime_error(path + ": expected 8-bit RGB");
  image.rgb.resize(size_t(3) * image.width * image.height);
  file.ignore(1);
  if (!file.read(reinterpret_cast<char*>(image.rgb.data()), std::streamsize(image.rgb.size())))
    throw std::runtime_error(path + ": the file ends before its last pixel");
  return image;
}

// The JSON text that follows "key": from position `from` on; the metadata is written without spaces.
static std::string value_of(const std::string& json, const std::string& key, size_t from = 0) {
  const size_t at = json.find("\"" + key + "\":", from);
  return at == std::string::npos ? "" : json.substr(at + key.size() + 3);
}

static std::vector<std::string> strings_of(const std::string& list) {
  std::vector<std::string> found;
  const std::string text = list.substr(0, list.find(']'));
  for (size_t open = text.find('"'); open != std::string::npos; open = text.find('"', open)) {
    const size_t close = text.find('"', open + 1);
    found.push_back(text.substr(open + 1, close - open - 1));
    open = close + 1;
  }
  return found;
}

// The image in the model's view, bilinear and black outside; 32-bit numbers in the order that OpenCV takes them.
static std::vector<uint8_t> fit(const Image& image, double scale, double left, double top, int width, int height) {
  std::vector<uint8_t> view(size_t(3) * width * height);
  auto pixel = [&](int x, int y, int c) -> float {
    const bool inside = x >= 0 && y >= 0 && x < image.width && y < image.height;
    return inside ? image.rgb[(size_t(y) * image.width + x) * 3 + c] : 0;
  };
  auto between = [](float from, float to, float part) { return from + part * (to - from); };
  const float step = float(1 / scale);
  const float first_x = float((0.5 - left) / scale - 0.5), first_y = float((0.5 - top) / scale - 0.5);
  for (int row = 0; row < height; row++)
    for (int column = 0; column < width; column++) {
      const float x = std::fma(step, float(column), first_x), y = step * float(row) + first_y;
      const int x0 = int(std::floor(x)), y0 = int(std::floor(y));
      for (int c = 0; c < 3; c++) {
        const float upper = between(pixel(x0, y0, c), pixel(x0 + 1, y0, c), x - float(x0));
        const float lower = between(pixel(x0, y0 + 1, c), pixel(x0 + 1, y0 + 1, c), x - float(x0));
        view[(size_t(row) * width + column) * 3 + c] = uint8_t(std::lrint(between(upper, lower, y - float(y0))));
      }
    }
  return view;
}

int main(int count, char** words) try {
  if (count != 3) throw std::runtime_error("usage: points MODEL.onnx PHOTO.ppm");
  Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "posekit");
  Ort::Session session(environment, words[1], Ort::SessionOptions{});
  Ort::AllocatorWithDefaultOptions allocator;
  const auto entry = session.GetModelMetadata().LookupCustomMetadataMapAllocated("posekit", allocator);
  if (!entry) throw std::runtime_error(std::string(words[1]) + ": no metadata of posekit; export it again");
  const std::string json = entry.get();
  const std::vector<std::string> points = strings_of(value_of(json, "points"));
  const std::string framing = value_of(json, "framing"), padding = value_of(framing, "padding");
  const bool crops = framing.substr(0, framing.find('}')).find("\"crop\"") != std::string::npos;

  const Image image = read_ppm(words[2]);
  const auto size = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();  // (B, H, W, 3)
  const int height = int(size[1]), width = int(size[2]);
  const double extent = std::max(double(image.width) / width, double(image.height) / height);
  const double scale = 1 / (extent * (crops ? std::atof(padding.c_str()) : 1));
  const double left = (width - scale * image.width) / 2, top = (height - scale * image.height) / 2;
  std::vector<uint8_t> view = fit(image, scale, left, top, width, height);

  const std::vector<int64_t> shape{1, height, width, 3};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const auto input = Ort::Value::CreateTensor<uint8_t>(memory, view.data(), view.size(), shape.data(), shape.size());
  const char* in[] = {"image"};
  const char* out[] = {"xy", "score", "instance_score"};
  const auto found = session.Run(Ort::RunOptions{nullptr}, in, &input, 1, out, 3);
  const float *xy = found[0].GetTensorData<float>(), *score = found[1].GetTensorData<float>();
  const float* whole = found[2].GetTensorData<float>();
  const int64_t instances = found[2].GetTensorTypeAndShapeInfo().GetShape()[1];
  const double lowest = crops ? 0 : std::atof(value_of(json, "instance_threshold").c_str());
  std::puts("instance,instance_score,point,x,y,score");
  for (int64_t n = 0; n < instances; n++)
    for (size_t k = 0; k < points.size() && whole[n] >= lowest; k++) {
      const size_t at = size_t(n) * points.size() + k;
      std::printf("%d,%.6f,%s,%.4f,%.4f,%.6f\n", int(n), whole[n], points[k].c_str(), (xy[2 * at] - left) / scale,
                  (xy[2 * at + 1] - top) / scale, score[at]);
    }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
