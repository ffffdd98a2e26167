// Objects to one shared object, by lld in this process.

#include "codegen/host/Link.h"
#include "lld/Common/Driver.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace llvm;

namespace memformer::host {

static Error writeFile(const Twine &path, StringRef bytes) {
  std::error_code code;
  raw_fd_ostream stream(path.str(), code);
  if (!code) {
    stream << bytes;
    stream.close();
    code = stream.error();
    stream.clear_error();
  }
  if (code)
    return createStringError(code, "cannot write " + path.str() + ": " + code.message());
  return Error::success();
}

// lld keeps its state in globals, and says when a failure has left them unusable.
static Error runLinker(ArrayRef<const char *> arguments) {
  static std::mutex mutex;
  static bool usable = true;
  std::lock_guard lock(mutex);
  if (!usable)
    return createStringError("the linker failed before and cannot run again");
  std::string output;
  raw_string_ostream stream(output);
  lld::DriverDef driver = {lld::Gnu, &lld::elf::link};
  lld::Result result = lld::lldMain(arguments, stream, stream, driver);
  usable = result.canRunAgain;
  if (result.retCode != 0)
    return createStringError("cannot link the kernels: " + StringRef(output).trim().str());
  return Error::success();
}

Expected<std::string> linkSharedObject(ArrayRef<StringRef> objects) {
  SmallString<128> folder;
  if (std::error_code code = sys::fs::createUniqueDirectory("memformer", folder))
    return createStringError(code, "cannot create a temporary folder: " + code.message());
  scope_exit remove([&] { sys::fs::remove_directories(folder); });

  std::vector<std::string> texts = {
      "ld.lld", "-shared", "--no-undefined", "--threads=1", "--build-id=none", "--strip-all", "-o"};
  std::string output = (folder + "/kernels.so").str();
  texts.push_back(output);
  for (auto [index, object] : enumerate(objects)) {
    texts.push_back((folder + "/" + Twine(index) + ".o").str());
    if (Error error = writeFile(texts.back(), object))
      return error;
  }
  SmallVector<const char *> arguments;
  for (const std::string &text : texts)
    arguments.push_back(text.c_str());
  if (Error error = runLinker(arguments))
    return error;
  auto buffer = MemoryBuffer::getFile(output, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(buffer.getError(), "cannot read " + output);
  return (*buffer)->getBuffer().str();
}

} // namespace memformer::host
