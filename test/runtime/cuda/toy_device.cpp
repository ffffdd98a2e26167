// The toy model for CUDA devices.

#include "test/runtime/cuda/toy_device.h"

#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>

namespace memformer::toy {

using nlohmann::json;

namespace {

/// Of each kernel, 128 bytes of text and 128 of what begins as an ELF file.
constexpr uint64_t codeBytes = 128;

std::string codeOf(const json &device) {
  std::string code;
  for (const json &kernel : device["kernels"]) {
    std::string text = kernel.value("text", "// " + kernel["symbol"].get<std::string>());
    text.resize(codeBytes - 1, ' ');
    code += text + '\0';
    std::string cubin = "\x7f"
                        "ELF";
    cubin.resize(64, ' ');
    code += cubin + text.substr(0, 63) + '\0';
  }
  return code;
}

} // namespace

json device(Schedule schedule, const std::string &architecture, bool cubins) {
  json result = manifest(schedule);
  for (const char *key : {"producer", "name", "configuration", "schedule", "batch", "parameters"})
    result.erase(key);
  result["target"] = {{"kind", "cuda"}, {"architecture", architecture}, {"ptx_version", 70}};
  uint64_t offset = 0;
  for (json &kernel : result["kernels"]) {
    kernel["threads"] = 96;
    kernel["shared_bytes"] = 0;
    kernel["registers"] = 0;
    kernel["ptx"] = {offset, codeBytes};
    if (cubins)
      kernel["cubin"] = {offset + codeBytes, codeBytes};
    offset += 2 * codeBytes;
  }
  return result;
}

Result<std::vector<std::byte>> assembleWith(json host, json devices) {
  const auto hostCode = kernels();
  std::vector<std::string> codes;
  for (const json &device : devices)
    codes.push_back(codeOf(device));
  std::vector<SectionData> sections{{"host", hostCode}};
  for (size_t i = 0; i < codes.size(); ++i)
    sections.push_back({devices[i]["target"]["architecture"].get<std::string>(),
                        std::as_bytes(std::span<const char>(codes[i]))});
  host["devices"] = std::move(devices);
  return assembleArtifact(std::move(host), sections);
}

std::shared_ptr<const Artifact> deviceArtifact(Schedule schedule, json devices) {
  auto file = assembleWith(manifest(schedule), std::move(devices));
  EXPECT_TRUE(file.has_value()) << file.error().message;
  return *Artifact::load(std::move(*file));
}

FakeCuda::FakeCuda(const std::string &settings, const char *library) {
  ::setenv("MEMFORMER_CUDA_DRIVER", library, 1);
  set(settings);
  void *handle = ::dlopen(library, RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(handle, nullptr);
  countCalls = reinterpret_cast<int64_t (*)(const char *)>(::dlsym(handle, "fakeCudaCalls"));
  countLeaks = reinterpret_cast<int64_t (*)()>(::dlsym(handle, "fakeCudaLeaks"));
  if (auto reset = reinterpret_cast<void (*)()>(::dlsym(handle, "fakeCudaReset")))
    reset();
}

FakeCuda::~FakeCuda() {
  ::unsetenv("MEMFORMER_CUDA_DRIVER");
  ::unsetenv("FAKE_CUDA");
}

void FakeCuda::set(const std::string &settings) { ::setenv("FAKE_CUDA", settings.c_str(), 1); }
int64_t FakeCuda::calls(const char *function) const { return countCalls(function); }
int64_t FakeCuda::leaks() const { return countLeaks(); }

Variable::Variable(const char *name, const char *value) : name(name) { ::setenv(name, value, 1); }
Variable::~Variable() { ::unsetenv(name); }

} // namespace memformer::toy
