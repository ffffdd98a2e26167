// Splits PTX text into tokens.

#ifndef MEMFORMER_TEST_EMULATOR_PTX_LEXER_H
#define MEMFORMER_TEST_EMULATOR_PTX_LEXER_H

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace memformer::emulator {

struct Token {
  enum class Kind { Word, Dotted, Number, String, Punctuation, End };
  Kind kind;
  std::string_view text; // of Dotted: without its dot
  unsigned line;
  size_t offset; // in the text
};

/// The tokens of a text that outlives them, the last one `End`. Errors name the line.
std::expected<std::vector<Token>, std::string> tokenize(std::string_view text);

} // namespace memformer::emulator

#endif
