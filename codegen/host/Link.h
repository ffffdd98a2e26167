// Objects to one shared object, by lld in this process.

#ifndef MEMFORMER_CODEGEN_HOST_LINK_H
#define MEMFORMER_CODEGEN_HOST_LINK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace memformer::host {

/// The bytes of an ELF shared object that needs no library. An unresolved symbol is an error.
llvm::Expected<std::string> linkSharedObject(llvm::ArrayRef<llvm::StringRef> objects);

} // namespace memformer::host

#endif
