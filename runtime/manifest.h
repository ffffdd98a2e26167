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
/// The same of an entry of `devices`: a program of `host`'s model for another target.
Manifest readDeviceManifest(const JsonReader &entry, const Manifest &host);
/// The functions, checked against the rest of the manifest.
void readFunctions(const JsonReader &functions, Manifest &manifest);
/// Rules that tie entries to each other: tensors inside their spaces, names unique. `where` is the
/// manifest's place in the document.
void checkManifest(const Manifest &manifest, const std::string &where, JsonErrors &errors);
/// What a session of either exchanges with its caller is the same.
void checkDeviceManifest(const Manifest &device, const Manifest &host, const std::string &where,
                         JsonErrors &errors);
/// A kernel's code lies inside the section of its architecture, and looks like what it is said to
/// be.
void checkDeviceCode(const Manifest &device, std::span<const std::byte> section,
                     const std::string &where, JsonErrors &errors);

} // namespace memformer
