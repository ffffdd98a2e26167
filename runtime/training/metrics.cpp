// What a training run says about itself: a file of JSON lines, and progress for a person.
#include "runtime/training/metrics.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace memformer {

Result<MetricsFile> MetricsFile::open(const std::filesystem::path &path) {
  int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return error("cannot open {}: {}", path.native(), std::strerror(errno));
  MetricsFile file(descriptor, path.native());
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0)
    return error("{}: another process is training in this folder", path.native());
  off_t end = ::lseek(descriptor, 0, SEEK_END);
  if (end < 0)
    return error("{}: {}", path.native(), std::strerror(errno));
  file.length = end;
  return file;
}

MetricsFile::MetricsFile(MetricsFile &&other) noexcept
    : descriptor(std::exchange(other.descriptor, -1)), path(std::move(other.path)),
      length(other.length) {}

MetricsFile::~MetricsFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

Result<void> MetricsFile::truncate(int64_t bytes) {
  if (bytes < 0 || bytes > length)
    return error("{}: expected at least {} bytes, as the checkpoint says, but got {}", path, bytes,
                 length);
  if (::ftruncate(descriptor, bytes) != 0 || ::lseek(descriptor, bytes, SEEK_SET) < 0)
    return error("{}: {}", path, std::strerror(errno));
  length = bytes;
  return {};
}

Result<void> MetricsFile::write(const nlohmann::ordered_json &line) {
  std::string text = line.dump() + "\n";
  for (size_t done = 0; done < text.size();) {
    ssize_t wrote = ::write(descriptor, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0)
      return error("cannot write {}: {}", path, std::strerror(errno));
    done += size_t(wrote);
  }
  length += int64_t(text.size());
  return {};
}

Result<int64_t> MetricsFile::sync() {
  if (::fdatasync(descriptor) != 0)
    return error("cannot sync {}: {}", path, std::strerror(errno));
  return length;
}

ProgressLine::ProgressLine(std::FILE *out) : out(out), terminal(::isatty(::fileno(out)) == 1) {}

ProgressLine::~ProgressLine() {
  if (open)
    std::fputc('\n', out);
}

void ProgressLine::print(const std::string &text) {
  std::fputs(text.c_str(), out);
  std::fflush(out);
}

void ProgressLine::update(std::string_view text) {
  if (!terminal)
    return;
  print(fmt::format("\r{}\x1b[K", text));
  open = true;
}

void ProgressLine::line(std::string_view text) {
  print(fmt::format("{}{}{}\n", open ? "\r" : "", text, open ? "\x1b[K" : ""));
  open = false;
}

std::string printDuration(double seconds) {
  int64_t whole = std::max<int64_t>(0, std::llround(std::min(seconds, 1e9)));
  if (whole >= 3600)
    return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  if (whole >= 60)
    return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}s", whole);
}

} // namespace memformer
