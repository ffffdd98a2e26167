// A file in memory without reading it first.
#include "runtime/data/mapped_file.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace memformer {

Result<MappedFile> MappedFile::open(const std::string &path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return error("cannot open {}: {}", path, std::strerror(errno));
  struct stat status;
  int failed = ::fstat(descriptor, &status);
  if (failed || !S_ISREG(status.st_mode) || status.st_size == 0) {
    std::string reason = failed                     ? std::strerror(errno)
                         : S_ISDIR(status.st_mode)  ? "it is a directory"
                         : !S_ISREG(status.st_mode) ? "it is not a regular file"
                                                    : "";
    ::close(descriptor);
    if (reason.empty())
      return error("{}: the file is empty", path);
    return error("cannot read {}: {}", path, reason);
  }
  void *address = ::mmap(nullptr, size_t(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
  int code = errno;
  ::close(descriptor);
  if (address == MAP_FAILED)
    return error("cannot map {}: {}", path, std::strerror(code));
  return MappedFile(static_cast<const std::byte *>(address), size_t(status.st_size));
}

void MappedFile::release(size_t begin, size_t end) const {
  // Whole pages; what is read again comes from the file. A hint: nothing depends on it.
  const auto page = size_t(::sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;
  end = end / page * page;
  if (begin < end)
    (void)::madvise(const_cast<std::byte *>(data) + begin, end - begin, MADV_DONTNEED);
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : data(std::exchange(other.data, nullptr)), size(std::exchange(other.size, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(data, other.data);
  std::swap(size, other.size);
  return *this;
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<std::byte *>(data), size);
}

} // namespace memformer
