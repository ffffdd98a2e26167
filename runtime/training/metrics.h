// What a training run says about itself: a file of JSON lines, and progress for a person.
#pragma once

#include "runtime/result.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace memformer {

/// A file of JSON lines that can be cut back to where a checkpoint left it. Locked: one process at
/// a time.
class MetricsFile {
public:
  /// Opens or creates the file. Errors: another process has it, or the disk's.
  static Result<MetricsFile> open(const std::filesystem::path &path);
  MetricsFile(MetricsFile &&other) noexcept;
  MetricsFile &operator=(MetricsFile &&other) = delete;
  ~MetricsFile();

  /// Keeps the first `bytes` bytes; an error where there are fewer.
  Result<void> truncate(int64_t bytes);
  /// Appends one line, at once.
  Result<void> write(const nlohmann::ordered_json &line);
  /// Syncs what was written; gives the length.
  Result<int64_t> sync();

private:
  MetricsFile(int descriptor, std::string path) : descriptor(descriptor), path(std::move(path)) {}
  int descriptor = -1;
  std::string path;
  int64_t length = 0;
};

/// Lines on a terminal that replace each other, or plain lines. That they cannot be written is no
/// reason for training to end.
class ProgressLine {
public:
  explicit ProgressLine(std::FILE *out);
  ~ProgressLine();
  bool isTerminal() const { return terminal; }
  /// Replaces the line on a terminal; elsewhere nothing.
  void update(std::string_view text);
  /// A line that stays.
  void line(std::string_view text);

private:
  void print(const std::string &text);
  std::FILE *out;
  bool terminal;
  bool open = false; // a line that will be replaced stands there
};

/// "1h02m", "3m20s", "12s".
std::string printDuration(double seconds);

} // namespace memformer
