// A checkpoint whose loss scale is another one: so large, say, that gradients overflow.
#pragma once

#include "runtime/safetensors.h"

#include <deque>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace memformer::test {

/// Writes the checkpoint anew with a dynamic loss scale of `value`.
inline void setLossScale(const std::filesystem::path &checkpoint, const std::string &value) {
  auto file = SafetensorsFile::open(checkpoint);
  ASSERT_TRUE(file) << file.error().message;
  std::vector<SafetensorsTensor> tensors;
  std::deque<std::vector<std::byte>> contents;
  for (const SafetensorsInfo &info : file->header().tensors) {
    std::vector<std::byte> &bytes = contents.emplace_back(info.bytes);
    ASSERT_TRUE(file->readBytes(info, bytes));
    tensors.push_back({info.name, info.type, info.shape, bytes});
  }
  auto metadata = file->metadata();
  metadata["loss_scale"] = value;
  metadata["good_steps"] = "1990";
  ASSERT_TRUE(writeSafetensors(checkpoint, tensors, metadata));
}

/// How many lines of a text have this in them.
inline size_t count(const std::string &text, std::string_view what) {
  size_t found = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size())
    ++found;
  return found;
}

} // namespace memformer::test
