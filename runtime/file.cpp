// Whole files, written through a temporary file and a rename.

#include "runtime/file.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace memformer {

namespace {

/// Closes a descriptor at the end of a scope.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0)
      ::close(value);
  }
};

int openRetrying(const char *path, int flags, mode_t mode = 0) {
  int descriptor;
  do
    descriptor = ::open(path, flags | O_CLOEXEC, mode);
  while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

/// The file that a symbolic link leads to, so that a rename replaces that file and not the link.
std::filesystem::path resolveLinks(const std::filesystem::path &path) {
  std::error_code status;
  if (!std::filesystem::is_symlink(path, status))
    return path;
  auto resolved = std::filesystem::weakly_canonical(path, status);
  return status ? path : resolved;
}

} // namespace

Result<std::vector<std::byte>> readFile(const std::filesystem::path &path) {
  Descriptor file{openRetrying(path.c_str(), O_RDONLY)};
  if (file.value < 0)
    return error("cannot open {}: {}", path.native(), std::strerror(errno));
  struct stat status;
  if (::fstat(file.value, &status) != 0)
    return error("cannot read {}: {}", path.native(), std::strerror(errno));
  if (S_ISDIR(status.st_mode))
    return error("cannot read {}: it is a directory", path.native());

  // A pipe has no size, and a file may grow: read until there is no more.
  std::vector<std::byte> bytes(S_ISREG(status.st_mode) ? size_t(status.st_size) : 0);
  size_t filled = 0;
  while (true) {
    if (filled == bytes.size()) {
      std::byte probe;
      ssize_t got = ::read(file.value, &probe, 1);
      if (got < 0 && errno == EINTR)
        continue;
      if (got < 0)
        return error("cannot read {}: {}", path.native(), std::strerror(errno));
      if (got == 0)
        return bytes;
      bytes.push_back(probe);
      ++filled;
      bytes.resize(bytes.size() + std::max<size_t>(bytes.size(), 4096));
    }
    ssize_t got = ::read(file.value, bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return error("cannot read {}: {}", path.native(), std::strerror(errno));
    filled += size_t(got);
    if (got == 0)
      bytes.resize(filled);
  }
}

Result<void> FileWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR)
        continue;
      return error("cannot write {}: {}", name, std::strerror(errno));
    }
    bytes = bytes.subspan(size_t(written));
  }
  return {};
}

Result<void> FileWriter::write(std::string_view text) {
  return write(std::as_bytes(std::span(text)));
}

Result<void> writeFileAtomically(const std::filesystem::path &path,
                                 const std::function<Result<void>(FileWriter &)> &write) {
  const auto target = resolveLinks(path);
  std::error_code ignored;
  if (std::filesystem::exists(target, ignored) &&
      !std::filesystem::is_regular_file(target, ignored))
    return error("cannot write {}: it exists and is not a regular file", path.native());

  // One name for each process and call: two writers never share a temporary file.
  static std::atomic<unsigned> counter{0};
  auto temporary = target;
  temporary += fmt::format(".tmp{}.{}", ::getpid(), counter.fetch_add(1));

  Descriptor file{openRetrying(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666)};
  if (file.value < 0)
    return error("cannot write {}: {}", path.native(), std::strerror(errno));

  FileWriter writer(file.value, path.native());
  Result<void> result = write(writer);
  if (result && ::fsync(file.value) != 0)
    result = error("cannot write {}: {}", path.native(), std::strerror(errno));
  // Some file systems tell only now that there was no room.
  if (::close(std::exchange(file.value, -1)) != 0 && result)
    result = error("cannot write {}: {}", path.native(), std::strerror(errno));
  if (result && ::rename(temporary.c_str(), target.c_str()) != 0)
    result = error("cannot write {}: {}", path.native(), std::strerror(errno));
  if (!result) {
    ::unlink(temporary.c_str());
    return result;
  }

  // The rename itself is on disk only when the folder is. Where a folder cannot be synced the file
  // is still whole, so that is no error.
  auto folder = target.parent_path();
  Descriptor directory{openRetrying(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY)};
  if (directory.value >= 0)
    ::fsync(directory.value);
  return {};
}

Result<void> writeFileAtomically(const std::filesystem::path &path,
                                 std::span<const std::byte> bytes) {
  return writeFileAtomically(path, [&](FileWriter &writer) { return writer.write(bytes); });
}

Result<void> writeFileAtomically(const std::filesystem::path &path, std::string_view text) {
  return writeFileAtomically(path, std::as_bytes(std::span(text)));
}

} // namespace memformer
