// ptxas, where it is installed.

#include "codegen/nvptx/Assemble.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace memformer::nvptx {

static std::optional<std::string> findTool(const char *variable, StringRef name) {
  if (const char *named = std::getenv(variable))
    return *named ? std::optional<std::string>(named) : std::nullopt;
  ErrorOr<std::string> found = sys::findProgramByName(name);
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

std::optional<std::string> findAssembler() { return findTool("MEMFORMER_PTXAS", "ptxas"); }
std::optional<std::string> findDisassembler() { return findTool("MEMFORMER_NVDISASM", "nvdisasm"); }

// The number after `expression`'s group, 0 where it is not found.
static int64_t numberIn(StringRef text, StringRef expression) {
  SmallVector<StringRef> groups;
  int64_t number = 0;
  if (Regex(expression).match(text, &groups))
    groups[1].getAsInteger(10, number);
  return number;
}

static Expected<std::string> temporaryFile(StringRef suffix) {
  SmallString<128> path;
  if (std::error_code error = sys::fs::createTemporaryFile("memformer", suffix, path))
    return createStringError("cannot create a temporary file: " + error.message());
  return path.str().str();
}

static Error writeFile(StringRef path, StringRef content) {
  std::error_code error;
  raw_fd_ostream stream(path, error);
  stream << content;
  stream.close();
  if (!error && !stream.has_error())
    return Error::success();
  stream.clear_error();
  return createStringError("cannot write " + path);
}

Expected<Assembly> assemble(StringRef assembler, StringRef ptx, const GpuTarget &target) {
  std::string paths[3];
  static constexpr StringLiteral suffixes[] = {"ptx", "cubin", "log"};
  for (auto [path, suffix] : zip_equal(paths, suffixes)) {
    Expected<std::string> created = temporaryFile(suffix);
    if (!created)
      return created.takeError();
    path = *created;
  }
  FileRemover removers[] = {FileRemover(paths[0]), FileRemover(paths[1]), FileRemover(paths[2])};
  if (Error error = writeFile(paths[0], ptx))
    return error;
  std::string message;
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(paths[2]), StringRef(paths[2])};
  int status = sys::ExecuteAndWait(
      assembler, {assembler, "-v", "-arch", target.architecture, "-o", paths[1], paths[0]},
      std::nullopt, redirects, 0, 0, &message);
  ErrorOr<std::unique_ptr<MemoryBuffer>> log = MemoryBuffer::getFile(paths[2]);
  StringRef said = log ? (*log)->getBuffer() : StringRef();
  if (status != 0)
    return createStringError("'" + assembler + "' cannot assemble the kernel: " +
                             (message.empty() ? said.str() : message));
  ErrorOr<std::unique_ptr<MemoryBuffer>> binary = MemoryBuffer::getFile(paths[1]);
  if (!binary)
    return createStringError("cannot read " + paths[1] + ": " + binary.getError().message());
  Assembly result;
  result.binary = (*binary)->getBuffer().str();
  result.registers = numberIn(said, "Used ([0-9]+) registers");
  result.spilledBytes = numberIn(said, "([0-9]+) bytes spill stores");
  return result;
}

Expected<std::string> disassemble(StringRef disassembler, StringRef binary) {
  std::string paths[2];
  static constexpr StringLiteral suffixes[] = {"cubin", "sass"};
  for (auto [path, suffix] : zip_equal(paths, suffixes)) {
    Expected<std::string> created = temporaryFile(suffix);
    if (!created)
      return created.takeError();
    path = *created;
  }
  FileRemover removers[] = {FileRemover(paths[0]), FileRemover(paths[1])};
  if (Error error = writeFile(paths[0], binary))
    return error;
  std::string message;
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(paths[1]), StringRef(paths[1])};
  int status = sys::ExecuteAndWait(disassembler, {disassembler, "-c", paths[0]}, std::nullopt,
                                   redirects, 0, 0, &message);
  ErrorOr<std::unique_ptr<MemoryBuffer>> said = MemoryBuffer::getFile(paths[1]);
  if (status != 0 || !said)
    return createStringError("'" + disassembler + "' cannot read the kernel: " + message);
  return (*said)->getBuffer().str();
}

} // namespace memformer::nvptx
