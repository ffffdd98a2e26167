// Reads PTX text.

#ifndef MEMFORMER_TEST_EMULATOR_PTX_PARSER_H
#define MEMFORMER_TEST_EMULATOR_PTX_PARSER_H

#include "test/emulator/ptx_module.h"

#include <expected>
#include <string>
#include <string_view>

namespace memformer::emulator {

/// Reads a module. Whether an instruction exists is not asked here: its opcode, modifiers and
/// operands are taken as they come. Errors name the line.
std::expected<PtxModule, std::string> parsePtx(std::string_view text);

/// A line of PTX for a message: without tabs and the spaces around it.
std::string trimmed(std::string line);

} // namespace memformer::emulator

#endif
