// Runs the compiler, and keeps what it made by the content that it was made from.
#include "tools/memformer-run/compile_cache.h"

#include "runtime/file.h"
#include "runtime/random.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char **environ;

namespace memformer {

namespace {

namespace fs = std::filesystem;

Result<fs::path> cacheFolder() {
  fs::path folder;
  if (const char *cache = std::getenv("XDG_CACHE_HOME"); cache && *cache)
    folder = cache;
  else if (const char *home = std::getenv("HOME"); home && *home)
    folder = fs::path(home) / ".cache";
  else
    return error("expected HOME or XDG_CACHE_HOME to say where compiled models are kept");
  folder /= "memformer";
  std::error_code code;
  fs::create_directories(folder, code);
  if (code)
    return error("cannot create the folder {}: {}", folder.native(), code.message());
  return folder;
}

// Beside this program, then on PATH.
Result<fs::path> findCompiler() {
  constexpr std::string_view name = "memformer-compile";
  std::error_code code;
  std::vector<fs::path> folders;
  if (fs::path self = fs::read_symlink("/proc/self/exe", code); !code)
    folders.push_back(self.parent_path());
  if (const char *path = std::getenv("PATH")) {
    std::string_view rest = path;
    while (!rest.empty()) {
      size_t colon = rest.find(':');
      folders.emplace_back(rest.substr(0, colon));
      rest = colon == std::string_view::npos ? "" : rest.substr(colon + 1);
    }
  }
  for (const fs::path &folder : folders) {
    fs::path candidate = folder / name;
    if (fs::is_regular_file(candidate, code) && ::access(candidate.c_str(), X_OK) == 0)
      return candidate;
  }
  return error("cannot find {} beside memformer-run or on PATH: it is needed for a model that is "
               "not compiled yet",
               name);
}

// The lines that say what the processor can do; those of the first are enough.
std::string processor() {
  std::ifstream stream("/proc/cpuinfo");
  std::string line, text;
  while (std::getline(stream, line) && !line.empty())
    if (line.starts_with("model name") || line.starts_with("flags") || line.starts_with("Features"))
      text += line + "\n";
  return text;
}

// 128 bits of everything that the artifact depends on.
Result<std::string> cacheKey(const CompileRequest &request, const fs::path &compiler) {
  struct stat status;
  if (::stat(compiler.c_str(), &status) != 0)
    return error("cannot read {}: {}", compiler.native(), std::strerror(errno));
  std::string text =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}.{}\n{}\n{}", request.suffix, request.schedule,
                  request.batch, request.generation, request.plan, request.gpu, status.st_size,
                  status.st_mtim.tv_sec, status.st_mtim.tv_nsec, processor(), request.text);
  return fmt::format("{:016x}{:016x}", extendKey(uint64_t(1), text), extendKey(uint64_t(2), text));
}

// Held until the end of the scope, or of the process.
class Lock {
public:
  explicit Lock(const fs::path &path)
      : descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    while (descriptor >= 0 && ::flock(descriptor, LOCK_EX) != 0 && errno == EINTR)
      ;
  }
  ~Lock() {
    if (descriptor >= 0)
      ::close(descriptor);
  }
  Lock(const Lock &) = delete;
  Lock &operator=(const Lock &) = delete;

private:
  int descriptor;
};

// Removes a file at the end of the scope.
struct TemporaryFile {
  fs::path path;
  ~TemporaryFile() {
    std::error_code code;
    fs::remove(path, code);
  }
};

// What processes that were killed while they compiled have left. The lock of the key is held.
void removeLeftovers(const fs::path &folder, const std::string &key) {
  std::error_code code;
  for (const auto &entry : fs::directory_iterator(folder, code)) {
    const fs::path &path = entry.path();
    if (path.filename().native().starts_with(key + ".") && path.extension() != ".mfa" &&
        path.extension() != ".lock") {
      std::error_code ignored;
      fs::remove(path, ignored);
    }
  }
}

// The compiler's own messages go to standard error as they come.
Result<void> runCompiler(const fs::path &compiler, const CompileRequest &request,
                         const fs::path &input, const fs::path &output) {
  std::vector<std::string> words = {compiler.native(),
                                    input.native(),
                                    "-o",
                                    output.native(),
                                    "--batch",
                                    std::to_string(request.batch),
                                    "--schedule",
                                    request.schedule,
                                    "--for",
                                    request.generation ? "generation" : "training"};
  if (!request.gpu.empty())
    words.insert(words.end(), {"--target", request.gpu, "--without-host"});
  if (request.plan)
    words.insert(words.end(), {"--emit", "plan"});
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  int code = ::posix_spawn(&child, compiler.c_str(), nullptr, nullptr, arguments.data(), environ);
  if (code != 0)
    return error("cannot run {}: {}", compiler.native(), std::strerror(code));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return error("cannot wait for {}: {}", compiler.native(), std::strerror(errno));
  if (WIFSIGNALED(status))
    return error("{}: the compiler was ended by signal {}", request.name, WTERMSIG(status));
  if (WEXITSTATUS(status) != 0)
    return error("{}: the compiler rejected the model (exit status {})", request.name,
                 WEXITSTATUS(status));
  return {};
}

} // namespace

Result<CompileResult> compileCached(const CompileRequest &request) {
  auto folder = cacheFolder();
  if (!folder)
    return std::unexpected(folder.error());
  auto compiler = findCompiler();
  if (!compiler)
    return std::unexpected(compiler.error());
  auto key = cacheKey(request, *compiler);
  if (!key)
    return std::unexpected(key.error());
  const fs::path path = *folder / (*key + ".mfa");
  const Lock lock(*folder / (*key + ".lock"));
  std::error_code code;
  if (request.cache && fs::exists(path, code))
    // The checksum tells a broken file, which is made again.
    if (auto artifact = Artifact::load(path))
      return CompileResult{*artifact, true};

  removeLeftovers(*folder, *key);
  const std::string stem = fmt::format("{}.{}", *key, ::getpid());
  const TemporaryFile input{*folder / (stem + request.suffix)};
  const TemporaryFile output{*folder / (stem + ".new")};
  if (!request.original)
    MEMFORMER_TRY(writeFileAtomically(input.path, request.text));
  MEMFORMER_TRY(runCompiler(*compiler, request,
                            request.original ? fs::path(request.name) : input.path, output.path));
  auto artifact = Artifact::load(output.path);
  if (!artifact)
    return withContext(artifact, compiler->native());
  fs::rename(output.path, path, code);
  if (code)
    return error("cannot write {}: {}", path.native(), code.message());
  return CompileResult{*artifact, false};
}

} // namespace memformer
