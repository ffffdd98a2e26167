// The manifest of an artifact: from JSON, with every check that does not need the rest of the file.
#pragma once

#include "runtime/artifact.h"
#include "runtime/json.h"

namespace memformer {

/// Limits of format version 1, far above any use, so that sums of sizes cannot overflow.
inline constexpr uint64_t maxSpaceBytes = uint64_t(1) << 44;
inline constexpr uint64_t maxSegments = uint64_t(1) << 16;

/// Everything but the functions.
Manifest readManifest(const JsonReader &root);
/// The functions, checked against the rest of the manifest.
void readFunctions(const JsonReader &functions, Manifest &manifest);
/// Rules that tie entries to each other: tensors inside their spaces, names unique.
void checkManifest(const Manifest &manifest, JsonErrors &errors);

} // namespace memformer
