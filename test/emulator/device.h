// The one device: its settings, its memory, and how a grid of blocks runs on the host's cores.

#ifndef MEMFORMER_TEST_EMULATOR_DEVICE_H
#define MEMFORMER_TEST_EMULATOR_DEVICE_H

#include "test/emulator/device_memory.h"
#include "test/emulator/modes.h"
#include "test/emulator/processor.h"

#include <optional>

namespace memformer::emulator {

/// The range of addresses is reserved at the first call, and stays.
DeviceMemory &deviceMemory();

/// Runs all blocks of a launch, each on one of the host's threads. The fault is that of the first
/// block in the order of the modes that failed.
std::optional<Fault> runGrid(const Launch &launch, const Modes &modes);

/// Drops the threads' processors, which keep the modes that they were made with.
void resetProcessors();

} // namespace memformer::emulator

#endif
